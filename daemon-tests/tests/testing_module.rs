//! The module `brokered_runtime::testing`, which users' tests call.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::panic;
use std::path::Path;
use std::thread;

use brokered_runtime::{Phase, testing};
use common::{TEST_DAEMON as PROGRAM, TestResult, wait_until};
use daemon_tests::{LOAD_ERROR, SINGLE_INSTANCE_DAEMON, TEST_DAEMON};

fn read_all(mut stream: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn many_bound_daemons_have_separate_directories_locks_and_records() -> TestResult {
    let bounds = (0..8)
        .map(|_| testing::bound(SINGLE_INSTANCE_DAEMON))
        .collect::<Result<Vec<_>, _>>()?;
    let mut endpoints = std::collections::BTreeSet::new();
    for bound in &bounds {
        let endpoint = bound.instance().endpoint()?;
        let directory = endpoint.parent().ok_or("no directory")?;
        let lock = fs::File::open(directory)?;
        assert!(lock.try_lock().is_err(), "the lock is held");
        let record = fs::read_to_string(directory.join("record"))?;
        assert!(record.contains("PHASE=bound"), "{record}");
        bound.instance().connect()?;
        endpoints.insert(endpoint);
    }
    assert_eq!(endpoints.len(), 8);
    Ok(())
}

#[test]
fn dropping_the_last_handle_removes_all_files() -> TestResult {
    let bound = testing::bound(TEST_DAEMON)?;
    let directory = bound.instance().directory().to_owned();
    let endpoint = bound.instance().endpoint()?;
    let scratch = endpoint
        .ancestors()
        .nth(3)
        .ok_or("no scratch directory")?
        .to_owned();
    assert!(directory.is_dir() && directory.starts_with(scratch.canonicalize()?));
    let handle = bound.handle();
    drop(bound.into_listener());
    assert!(endpoint.exists());
    drop(handle);
    assert!(!scratch.exists());
    Ok(())
}

#[test]
fn stopping_a_bound_ends_serve_and_not_the_process() -> TestResult {
    let bound = testing::bound(SINGLE_INSTANCE_DAEMON)?;
    let (instance, handle) = (bound.instance().clone(), bound.handle());
    let served = thread::spawn(move || bound.serve(|mut client| client.write_all(b"hello\n")));
    assert_eq!(read_all(instance.connect()?)?, "hello\n");
    handle.stop();
    served.join().map_err(|_| "serve panicked")??;
    assert!(handle.stopping().is_set());
    assert_eq!(handle.phase(), Phase::Draining);
    assert!(instance.connect().is_err());
    Ok(())
}

#[test]
fn a_bound_instance_belongs_to_the_given_directory() -> TestResult {
    let directory = tempfile::tempdir()?;
    let bound = testing::bound(TEST_DAEMON.at(directory.path()))?;
    assert_eq!(
        bound.instance().directory(),
        directory.path().canonicalize()?
    );
    drop(bound);
    assert!(directory.path().exists(), "only the caller may remove it");
    assert!(testing::bound(SINGLE_INSTANCE_DAEMON.at(directory.path())).is_err());
    Ok(())
}

#[test]
fn a_launched_daemon_answers_and_stops_with_success() -> TestResult {
    let directory = tempfile::tempdir()?;
    let daemon = testing::launch(PROGRAM)
        .directory(directory.path())
        .start()?;
    let mut stream = daemon.connect()?;
    stream.write_all(b"pid\n")?;
    assert_eq!(read_all(stream)?.trim_end(), daemon.id().to_string());
    assert!(daemon.endpoint().starts_with(daemon.runtime_directory()));
    let runtime_directory = daemon.runtime_directory();
    assert_eq!(daemon.stop()?.code(), Some(0));
    assert!(!runtime_directory.exists());
    Ok(())
}

#[test]
fn a_launched_daemon_is_killed_when_a_failing_test_drops_it() -> TestResult {
    let directory = tempfile::tempdir()?;
    let daemon = testing::launch(PROGRAM)
        .directory(directory.path())
        .start()?;
    let process = format!("/proc/{}", daemon.id());
    let failed = panic::catch_unwind(panic::AssertUnwindSafe(move || {
        let _daemon = daemon;
        panic!("a failing test");
    }));
    assert!(failed.is_err());
    assert!(!Path::new(&process).exists());
    Ok(())
}

#[test]
fn a_failed_start_is_an_error_with_the_daemons_output() -> TestResult {
    // The directory of the instance is missing.
    let error = testing::launch(PROGRAM)
        .start()
        .err()
        .ok_or("the daemon started")?;
    assert!(error.to_string().contains("test-daemon: "), "{error}");
    let missing = testing::launch("/nowhere/at/all")
        .start()
        .err()
        .ok_or("the daemon started")?;
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    Ok(())
}

#[test]
fn arguments_and_environment_variables_reach_a_launched_daemon() -> TestResult {
    let directory = tempfile::tempdir()?;
    let daemon = testing::launch(PROGRAM)
        .arg("1")
        .env(LOAD_ERROR, "no such shard")
        .directory(directory.path())
        .start();
    // The load fails after bind. Whether `start` returns before that is a race.
    match daemon {
        Ok(daemon) => wait_until("the error is in the log", || {
            daemon.log().contains("no such shard")
        }),
        Err(error) => assert!(error.to_string().contains("no such shard"), "{error}"),
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn the_record_holds_the_threads_and_the_time_before_main() -> TestResult {
    let fixture = common::Fixture::new()?;
    let _daemon = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    assert_eq!(fixture.record_value("PREMAIN_THREADS")?, "1");
    if cfg!(brokered_portable) {
        return Ok(());
    }
    let microseconds: u64 = fixture.record_value("PREMAIN_US")?.parse()?;
    assert!(microseconds < 30_000_000, "{microseconds}");
    Ok(())
}
