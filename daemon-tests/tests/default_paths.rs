//! Where the files of a daemon are by default: the literal paths that the programs print, for each environment.
//!
//! Unit tests of `platform/unix/files.rs` and `platform/windows/files.rs` pin the choice for the other systems.

#![cfg(unix)]

mod common;

use std::process::Command;

use common::{
    Fixture, ROOT, SINGLE_INSTANCE_DAEMON, TEST_DAEMON, TIMEOUT, TestResult, has_requirements,
    output_within, stderr, stdout,
};

const PATH: (&str, &str) = ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
const XDG: (&str, &str) = ("XDG_RUNTIME_DIR", "/run/user/1");
const HOME: (&str, &str) = ("HOME", "/home/ann");
const OWN: (&str, &str) = ("BROKERED_RUNTIME_DIR", "/srv/run");

/// The endpoint that a daemon prints with `--help`, in an environment of these variables alone.
#[track_caller]
fn endpoint_of(mut command: Command, variables: &[(&str, &str)]) -> String {
    command.env_clear().envs(variables.iter().copied());
    let output = output_within(TIMEOUT, &mut command);
    assert!(output.status.success(), "{}", stderr(&output));
    let help = stdout(&output);
    let mut lines = help.lines().skip_while(|line| *line != "Endpoint:");
    lines.nth(1).unwrap_or_default().trim().to_owned()
}

/// The command as user 4711, in a mount namespace where `/run/user/4711` exists or not.
fn as_user_4711(program: &str, has_run_user: bool) -> Command {
    let directory = if has_run_user {
        "mkdir -p /run/user/4711 && "
    } else {
        ""
    };
    let commands = format!(
        "mount -t tmpfs none /run && {directory}exec setpriv --reuid=4711 --regid=4711 --clear-groups -- \"$@\""
    );
    let mut command = Command::new("/usr/bin/unshare");
    command
        .args(["--mount", "--propagation", "private", "/bin/sh", "-c"])
        .args([&commands, "sh", program, "--help"]);
    command
}

#[test]
#[cfg(target_os = "linux")]
fn the_default_endpoint_is_pinned_for_each_environment() -> TestResult {
    if !has_requirements(&[ROOT, "/usr/bin/unshare", "mount", "setpriv"]) {
        return Ok(());
    }
    // The program is executed as another user, and the one of the build may be below a private directory.
    let fixture = Fixture::new()?;
    common::set_mode(fixture.path(), 0o755)?;
    let program = fixture.path().join("single");
    common::copy_executable(SINGLE_INSTANCE_DAEMON, &program)?;
    let program = program.to_str().ok_or("UTF-8")?;
    for (has_run_user, variables, expected) in [
        (true, &[PATH, OWN, XDG, HOME][..], "/srv/run/single/socket"),
        (
            true,
            &[PATH, XDG, HOME],
            "/run/user/1/brokered/single/socket",
        ),
        (true, &[PATH, HOME], "/run/user/4711/brokered/single/socket"),
        (true, &[PATH], "/run/user/4711/brokered/single/socket"),
        (
            false,
            &[PATH, HOME],
            "/home/ann/.cache/brokered/run/single/socket",
        ),
        (false, &[PATH], "/tmp/brokered-4711/single/socket"),
    ] {
        assert_eq!(
            endpoint_of(as_user_4711(program, has_run_user), variables),
            expected,
            "{variables:?}, {has_run_user}"
        );
    }
    Ok(())
}

#[test]
fn the_endpoint_of_a_directory_is_pinned() {
    // Of the root directory, because it is one that each machine has.
    let mut command = Command::new(TEST_DAEMON);
    command.arg("--help");
    let endpoint = endpoint_of(
        command,
        &[
            ("BROKERED_RUNTIME_DIR", "/srv/run"),
            ("BROKERED_INSTANCE", "/"),
        ],
    );
    assert_eq!(endpoint, "/srv/run/test-daemon-1398fe7115d691db/socket");
}
