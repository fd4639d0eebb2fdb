//! `brokered prune`: instances that are no longer used are listed, and removed on demand.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

mod common;
#[path = "common/tool.rs"]
mod tool;

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use common::{ChildProcess, Fixture, Signal, TEST_DAEMON, TestResult, signal_process, wait_until};
use serde_json::Value;

/// Makes all files of the instance look unchanged for some days.
fn age(instance: &Path, days: u32) -> std::io::Result<()> {
    let entries = fs::read_dir(instance)?.collect::<Result<Vec<_>, _>>()?;
    let aged = Command::new("touch")
        .args(["--no-dereference", "--date", &format!("{days} days ago")])
        .args(entries.iter().map(fs::DirEntry::path))
        .arg(instance)
        .status()?;
    assert!(aged.success());
    Ok(())
}

#[track_caller]
fn reasons(document: &Value) -> Vec<&str> {
    let instances = document["instances"].as_array().expect("a list");
    let reasons = instances.iter().map(|one| one["reason"].as_str());
    reasons.map(|reason| reason.expect("a reason")).collect()
}

#[test]
fn an_instance_is_unused_once_its_directory_is_gone_or_it_ended_long_ago() -> TestResult {
    let fixture = Fixture::new()?;
    let pid = fixture.start_test_daemon();
    let instance = fixture.instance_directory()?;
    // Nothing else is used as long as a daemon runs, however old its files are.
    age(&instance, 400)?;
    let none = fixture.brokered_json(&["prune", "--older-than", "0"]);
    assert!(reasons(&none).is_empty(), "{none:#}");

    signal_process(pid, Signal::SIGKILL);
    wait_until("the lock is free", || {
        fixture.is_lock_free().unwrap_or(false)
    });
    let lately = fixture.brokered_json(&["prune"]);
    assert_eq!(reasons(&lately), ["failed"], "{lately:#}");
    age(&instance, 3)?;
    let lately = fixture.brokered_json(&["prune"]);
    assert!(reasons(&lately).is_empty(), "{lately:#}");
    let kept = fixture.brokered(&["prune"]).success();
    assert_eq!(kept, "each instance is in use, or was lately\n");

    fs::remove_dir(fixture.project_directory())?;
    age(&instance, 0)?;
    let lately = fixture.brokered_json(&["prune"]);
    assert!(
        reasons(&lately).is_empty(),
        "a drive may be unplugged: {lately:#}"
    );
    age(&instance, 3)?;
    let gone = fixture.brokered_json(&["prune"]);
    assert_eq!(reasons(&gone), ["directory gone"], "{gone:#}");
    assert_eq!(gone["instances"][0]["removed"], false);
    let listed = fixture.brokered(&["prune"]).success();
    for part in ["project is gone", "3 d", "with `--remove`"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    assert!(instance.exists(), "it is only listed");
    let removed = fixture.brokered(&["prune", "--remove"]).success();
    assert!(removed.contains("1 of 1 removed"), "{removed}");
    assert!(!instance.exists());

    fs::create_dir(fixture.project_directory())?;
    fixture.start_test_daemon();
    fixture.brokered(&["stop", "test-daemon"]).success();
    let fresh = fixture.brokered_json(&["prune"]);
    assert!(reasons(&fresh).is_empty(), "{fresh:#}");
    age(&fixture.instance_directory()?, 31)?;
    let old = fixture.brokered_json(&["prune"]);
    assert_eq!(reasons(&old), ["ended"], "{old:#}");
    Ok(())
}

#[test]
fn what_cannot_be_removed_is_an_error_that_names_it() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    fixture.brokered(&["stop", "test-daemon"]).success();
    let notes = fixture.instance_directory()?.join("notes");
    fs::write(&notes, "mine")?;
    let tried = fixture.brokered(&["prune", "--older-than", "0", "--remove"]);
    assert_eq!(tried.code, Some(1), "{}", tried.out);
    for part in ["0 of 1 removed", "notes", "not removed"] {
        assert!(tried.out.contains(part), "{part}: {}", tried.out);
    }
    let tried = fixture.brokered_json(&["prune", "--older-than", "0", "--remove"]);
    assert_eq!(tried["instances"][0]["removed"], false);
    assert!(notes.exists() && fixture.instance_directory()?.join("log").exists());
    Ok(())
}

#[test]
fn a_socket_of_another_program_is_never_removed() -> TestResult {
    let fixture = Fixture::new()?;
    // A program that shares the runtime directory, and calls its socket as daemons do.
    let other = fixture.runtime_directory().join("keyring");
    fs::DirBuilder::new().mode(0o700).create(&other)?;
    let listener = UnixListener::bind(other.join("control"))?;
    let tried = fixture.brokered(&["prune", "--older-than", "0", "--remove"]);
    drop(listener);
    assert!(other.join("control").exists(), "{}", tried.out);
    Ok(())
}

#[test]
fn the_endpoint_of_a_service_manager_is_never_removed() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    let record = fixture.instance_directory()?.join("record");
    let text = fs::read_to_string(&record)?.replace("OWNER=launcher", "OWNER=systemd");
    fixture.brokered(&["stop", "test-daemon"]).success();
    fs::write(&record, text)?;
    age(&fixture.instance_directory()?, 400)?;
    fs::remove_dir(fixture.project_directory())?;
    let none = fixture.brokered_json(&["prune", "--remove"]);
    assert!(reasons(&none).is_empty() && record.exists(), "{none:#}");
    Ok(())
}

#[test]
fn a_client_and_a_start_by_hand_succeed_while_their_directory_is_removed() -> TestResult {
    let fixture = Fixture::new()?;
    let project = fixture.project_directory();
    let project = project.to_str().ok_or("a path of text")?;
    fixture.start_test_daemon();
    fixture.brokered(&["stop", "test-daemon"]).success();
    let remove_again_and_again = "while :; do \"$@\" >/dev/null 2>&1; done";
    let tool = fixture.tool(&["prune", "--older-than", "0", "--remove"]);
    let mut removing = ChildProcess(
        Command::new("sh")
            .args(["-c", remove_again_and_again, "sh"])
            .arg(tool.get_program())
            .args(tool.get_args())
            .env("BROKERED_RUNTIME_DIR", fixture.runtime_directory())
            .spawn()?,
    );
    for _ in 0..10 {
        fixture
            .brokered(&["start", "test-daemon", "-C", project, "-p", TEST_DAEMON])
            .success();
        fixture
            .brokered(&["stop", "test-daemon", "-C", project])
            .success();
        let daemon = fixture.start_daemon()?;
        daemon.signal(Signal::SIGTERM);
        assert!(daemon.wait_with_output()?.status.success());
    }
    removing.0.kill()?;
    Ok(())
}
