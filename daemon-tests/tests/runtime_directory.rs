//! Environment variables that lead to a runtime directory which this user cannot use: `su`, `sudo`, files in the way.
//!
//! Each is one error that names the path, the variable and what to do. Nothing is started.

#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{
    Fixture, ROOT, SINGLE_INSTANCE_DAEMON, TIMEOUT, TestResult, as_user_nobody,
    assert_advises_no_deletion, chown, copy_executable, has_requirements, output_within, set_mode,
    stderr,
};

/// A directory that every user can reach, with the client and the daemon in it.
struct Setup {
    fixture: Fixture,
}

impl Setup {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let fixture = Fixture::new()?;
        set_mode(fixture.path(), 0o755)?;
        let client = env!("CARGO_BIN_EXE_single-instance-client");
        copy_executable(client, &fixture.path().join("client"))?;
        copy_executable(SINGLE_INSTANCE_DAEMON, &fixture.path().join("single"))?;
        Ok(Self { fixture })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.fixture.path().join(name)
    }

    /// A new directory of this user, with mode 0700.
    fn directory(&self, name: &str, user: &str) -> Result<PathBuf, Box<dyn std::error::Error>> {
        let path = self.path(name);
        fs::create_dir(&path)?;
        set_mode(&path, 0o700)?;
        chown(&path, user)?;
        Ok(path)
    }

    /// A client that starts the daemon, with one of the variables set.
    fn client(&self, variable: &str, value: &Path) -> Command {
        let mut command = Command::new(self.path("client"));
        command.arg(self.path("single"));
        for unset in ["BROKERED_RUNTIME_DIR", "XDG_RUNTIME_DIR", "HOME"] {
            command.env_remove(unset);
        }
        command.env(variable, value);
        command
    }
}

/// Asserts that a client fails with a message that holds these parts.
#[track_caller]
fn assert_refused(command: &mut Command, parts: &[&str]) {
    let output = output_within(TIMEOUT, command);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_advises_no_deletion(&message);
}

/// `su` without `-` keeps the variables of the user before.
#[test]
fn a_directory_of_another_user_is_named_with_its_owner_and_its_variable() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let setup = Setup::new()?;
    let other = setup.directory("other", "0")?;
    let display = other.display().to_string();
    let owner = format!("{display} belongs to user 0, but this process runs as user 65534");
    let mut client = as_user_nobody(&setup.client("XDG_RUNTIME_DIR", &other));
    assert_refused(
        &mut client,
        &[
            &owner,
            "(XDG_RUNTIME_DIR leads there)",
            "set XDG_RUNTIME_DIR to a directory of your own",
        ],
    );
    // With a session directory of its own, `HOME` is not looked at.
    if !Path::new("/run/user/65534").exists() && cfg!(not(target_os = "macos")) {
        let mut client = as_user_nobody(&setup.client("HOME", &other));
        assert_refused(
            &mut client,
            &[
                &owner,
                "(HOME leads there)",
                "set BROKERED_RUNTIME_DIR to a directory of your own",
            ],
        );
    }
    Ok(())
}

/// Otherwise root's directory would lock the other user out, until the end of the session.
#[test]
fn root_creates_nothing_in_the_session_of_another_user() -> TestResult {
    if !has_requirements(&[ROOT]) {
        return Ok(());
    }
    let setup = Setup::new()?;
    let session = setup.directory("session", "65534")?;
    assert_refused(
        &mut setup.client("XDG_RUNTIME_DIR", &session),
        &[
            "session belongs to user 65534, but this process runs as user 0",
            "(XDG_RUNTIME_DIR leads there)",
        ],
    );
    // A daemon that is started by hand, too.
    let mut daemon = Command::new(setup.path("single"));
    daemon.env_remove("BROKERED_RUNTIME_DIR");
    let output = output_within(TIMEOUT, daemon.env("XDG_RUNTIME_DIR", &session));
    assert_eq!(output.status.code(), Some(73), "{}", stderr(&output));
    assert_eq!(fs::read_dir(&session)?.count(), 0, "nothing was created");

    // A directory of root is one that everybody may use, as containers do with `/tmp`.
    let shared = setup.directory("shared", "0")?;
    set_mode(&shared, 0o1777)?;
    let mut client = as_user_nobody(&setup.client("XDG_RUNTIME_DIR", &shared));
    let output = output_within(TIMEOUT, &mut client);
    assert!(output.status.success(), "{}", stderr(&output));
    let pid = common::stdout(&output).trim().to_owned();
    assert_eq!(fs::metadata(shared.join("brokered"))?.uid(), 65534);
    common::signal_process(pid.parse()?, common::Signal::SIGTERM);
    Ok(())
}

#[test]
fn a_file_or_a_dangling_link_in_the_path_is_named() -> TestResult {
    let setup = Setup::new()?;
    let file = setup.path("file");
    fs::write(&file, "")?;
    let link = setup.path("link");
    symlink(setup.path("nothing"), &link)?;
    for (path, error) in [(&file, "Not a directory"), (&link, "File exists")] {
        assert_refused(
            &mut setup.client("XDG_RUNTIME_DIR", path),
            &[
                &format!(
                    "the runtime directory {}/brokered cannot be",
                    path.display()
                ),
                "(XDG_RUNTIME_DIR leads there)",
                error,
                "move the file or the link that is in its path",
            ],
        );
    }
    Ok(())
}

#[test]
fn the_advice_for_a_full_file_system_is_to_free_space() -> TestResult {
    if !has_requirements(&[ROOT, "mount", "unshare"]) {
        return Ok(());
    }
    let setup = Setup::new()?;
    let full = setup.directory("full", "0")?;
    let client = setup.client("XDG_RUNTIME_DIR", &full);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .arg("mount -t tmpfs -o nr_inodes=1 none \"$XDG_RUNTIME_DIR\" && exec \"$@\"")
        .arg("sh")
        .arg(client.get_program())
        .args(client.get_args());
    command.env_remove("BROKERED_RUNTIME_DIR");
    command.env("XDG_RUNTIME_DIR", &full);
    assert_refused(
        &mut command,
        &[
            "No space left on device",
            "free some space or some inodes there",
        ],
    );
    Ok(())
}
