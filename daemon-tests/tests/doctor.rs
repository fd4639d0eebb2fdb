//! `brokered doctor`: what service managers, remote file systems and old releases do to daemons.
//!
//! The tool learns of these from files in `/proc` and from `systemctl`. The tests put others in their places.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

mod common;
#[path = "common/tool.rs"]
mod tool;

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{
    Fixture, ROOT, Signal, TIMEOUT, TestResult, has_requirements, output_within, signal_process,
};
use tool::ToolOutput;

/// Runs `doctor --verbose` with another file in the place of one in `/proc`, whose `self` is the tool's process.
fn doctor_with(
    fixture: &Fixture,
    file: &str,
    contents: &str,
    systemctl: &str,
) -> Result<String, Box<dyn Error>> {
    let bin = fixture.path().join("bin");
    fs::create_dir_all(&bin)?;
    fs::rename(common::script(fixture, systemctl)?, bin.join("systemctl"))?;
    let other = fixture.path().join("other");
    fs::write(&other, contents)?;
    let tool = fixture.tool(&["doctor", "--verbose", "--timeout", "20"]);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg("file=$1; shift; mount --bind \"$0\" $(echo $file | sed s/self/$$/) && exec \"$@\"")
        .arg(other)
        .arg(file)
        .arg(tool.get_program())
        .args(tool.get_args())
        .env("BROKERED_RUNTIME_DIR", fixture.runtime_directory())
        .env("PATH", format!("{}:{}", bin.display(), env::var("PATH")?));
    let output = output_within(TIMEOUT, &mut command);
    Ok(ToolOutput::of(&output).success())
}

#[test]
fn a_daemon_in_the_unit_of_its_client_is_a_warning() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let pid = fixture.start_test_daemon();
    let doctor = |groups: &str, mode: &str, main: u32| {
        let systemctl = format!(
            "echo \"$@\" >>{}/asked\ncase $* in *KillMode*) echo {mode};; *) echo {main};; esac",
            fixture.path().display()
        );
        doctor_with(&fixture, &format!("/proc/{pid}/cgroup"), groups, &systemctl)
    };
    let job = "0::/system.slice/ci.service\n";
    let killed = doctor(job, "control-group", 1)?;
    for part in [
        "when that unit stops, systemd ends the daemon as well",
        "ci.service",
        "brokered unit systemd",
    ] {
        assert!(killed.contains(part), "{part}: {killed}");
    }
    let spared = doctor(job, "process", 1)?;
    assert!(
        spared.contains("KillMode=process does not end it"),
        "{spared}"
    );
    let own = doctor(job, "control-group", pid)?;
    assert!(
        own.contains("SIGTERM to the processes that the daemon has started"),
        "{own}"
    );
    let mixed = doctor(job, "mixed", pid)?;
    assert!(
        mixed.contains("fine") && !mixed.contains("warning"),
        "{mixed}"
    );
    let session = doctor(
        "0::/user.slice/user-0.slice/session-3.scope\n",
        "control-group",
        1,
    )?;
    assert!(!session.contains("session-3"), "{session}");
    let asked = fs::read_to_string(fixture.path().join("asked"))?;
    assert!(
        asked.starts_with("show --value --property KillMode -- ci.service\n"),
        "{asked}"
    );
    Ok(())
}

#[test]
fn a_runtime_directory_on_a_remote_file_system_is_a_warning() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mounts = format!(
        "22 1 254:0 / / rw - ext4 /dev/vda rw\n23 22 0:5 / {} rw - nfs4 server:/home rw\n",
        fixture.path().display()
    );
    let doctor = doctor_with(&fixture, "/proc/self/mountinfo", &mounts, "exit 1")?;
    for part in ["remote file system (nfs4)", "BROKERED_RUNTIME_DIR"] {
        assert!(doctor.contains(part), "{part}: {doctor}");
    }
    Ok(())
}

#[test]
fn daemons_of_two_contracts_are_a_note() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    let doctor = fixture.brokered(&["doctor"]).success();
    assert!(!doctor.contains("contract"), "{doctor}");
    // A daemon of an older release: a process holds the lock of its directory, and the record says which contract.
    let directory = fixture.runtime_directory().join("test-daemon.2");
    let record = fixture.record()?.replace("CONTRACT=1", "CONTRACT=2");
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    fs::write(directory.join("record"), format!("{record}CONTROL=none\n"))?;
    let lock = File::open(&directory)?;
    lock.lock()?;
    let doctor = fixture.brokered(&["doctor"]).success();
    for part in [
        "contract 1 run beside those with contract 2",
        "brokered stop test-daemon --contract 1",
    ] {
        assert!(doctor.contains(part), "{part}: {doctor}");
    }
    Ok(())
}

#[test]
fn a_stopped_daemon_delays_doctor_by_its_timeout_alone() -> TestResult {
    let fixture = Fixture::new()?;
    let pid = fixture.start_test_daemon();
    signal_process(pid, Signal::SIGSTOP);
    let began = Instant::now();
    let patient = fixture.brokered(&["doctor", "--timeout", "3s"]);
    assert!(began.elapsed() >= Duration::from_secs(3));
    assert!(patient.out.contains("3 s"), "{}", patient.out);
    assert_eq!(patient.code, Some(1));
    let quick = fixture.brokered(&["doctor", "--timeout", "50ms"]);
    assert!(
        quick.out.contains(" ms; the daemon's lock"),
        "{}",
        quick.out
    );
    Ok(())
}
