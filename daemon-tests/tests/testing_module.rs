//! What `brokered_runtime::testing` gives to the tests of others.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::panic;
use std::path::Path;
use std::thread;

use brokered_runtime::{Phase, testing};
use common::{Outcome, SUBJECT as PROGRAM, eventually};
use daemon_tests::{LOAD_FAILS, SINGLE, SUBJECT};

fn all_of(mut stream: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn many_are_bound_at_once_each_in_its_own_place_with_lock_and_record() -> Outcome {
    let bounds = (0..8)
        .map(|_| testing::bound(SINGLE))
        .collect::<Result<Vec<_>, _>>()?;
    let mut seen = std::collections::BTreeSet::new();
    for bound in &bounds {
        let endpoint = bound.instance().endpoint()?;
        let place = endpoint.parent().ok_or("a directory")?;
        assert!(fs::File::open(place)?.try_lock().is_err(), "it is locked");
        let record = fs::read_to_string(place.join("record"))?;
        assert!(record.contains("PHASE=bound"), "{record}");
        bound.instance().connect()?;
        seen.insert(endpoint);
    }
    assert_eq!(seen.len(), 8);
    Ok(())
}

#[test]
fn nothing_is_left_when_the_last_of_a_bound_is_dropped() -> Outcome {
    let bound = testing::bound(SUBJECT)?;
    let directory = bound.instance().directory().to_owned();
    let endpoint = bound.instance().endpoint()?;
    let scratch = endpoint.ancestors().nth(3).ok_or("a place")?.to_owned();
    assert!(directory.is_dir() && directory.starts_with(scratch.canonicalize()?));
    let handle = bound.handle();
    drop(bound.into_listener());
    assert!(endpoint.exists());
    drop(handle);
    assert!(!scratch.exists());
    Ok(())
}

#[test]
fn a_bound_serves_until_its_handle_stops_it_and_the_process_goes_on() -> Outcome {
    let bound = testing::bound(SINGLE)?;
    let (instance, handle) = (bound.instance().clone(), bound.handle());
    let served = thread::spawn(move || bound.serve(|mut client| client.write_all(b"hello\n")));
    assert_eq!(all_of(instance.connect()?)?, "hello\n");
    handle.stop();
    served.join().map_err(|_| "serve panicked")??;
    assert!(handle.stopping().is_set());
    assert_eq!(handle.phase(), Phase::Draining);
    assert!(instance.connect().is_err());
    Ok(())
}

#[test]
fn an_instance_is_for_the_directory_that_it_was_given() -> Outcome {
    let directory = tempfile::tempdir()?;
    let bound = testing::bound(SUBJECT.at(directory.path()))?;
    assert_eq!(
        bound.instance().directory(),
        directory.path().canonicalize()?
    );
    drop(bound);
    assert!(directory.path().exists(), "it was not ours");
    assert!(testing::bound(SINGLE.at(directory.path())).is_err());
    Ok(())
}

#[test]
fn a_launched_daemon_answers_and_ends_well() -> Outcome {
    let directory = tempfile::tempdir()?;
    let daemon = testing::launch(PROGRAM)
        .directory(directory.path())
        .start()?;
    let mut stream = daemon.connect()?;
    stream.write_all(b"pid\n")?;
    assert_eq!(all_of(stream)?.trim_end(), daemon.id().to_string());
    assert!(daemon.endpoint().starts_with(daemon.runtime_directory()));
    let place = daemon.runtime_directory();
    assert_eq!(daemon.stop()?.code(), Some(0));
    assert!(!place.exists());
    Ok(())
}

#[test]
fn a_launched_daemon_is_gone_when_it_is_dropped_also_by_a_test_that_fails() -> Outcome {
    let directory = tempfile::tempdir()?;
    let daemon = testing::launch(PROGRAM)
        .directory(directory.path())
        .start()?;
    let process = format!("/proc/{}", daemon.id());
    let failed = panic::catch_unwind(panic::AssertUnwindSafe(move || {
        let _daemon = daemon;
        panic!("as a test that fails");
    }));
    assert!(failed.is_err());
    assert!(!Path::new(&process).exists());
    Ok(())
}

#[test]
fn a_daemon_that_does_not_start_is_an_error_with_its_words() -> Outcome {
    // Which instance, is not said.
    let error = testing::launch(PROGRAM).start().err().ok_or("it started")?;
    assert!(error.to_string().contains("subject: "), "{error}");
    let missing = testing::launch("/nowhere/at/all")
        .start()
        .err()
        .ok_or("it started")?;
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    Ok(())
}

#[test]
fn arguments_and_variables_reach_a_launched_daemon() -> Outcome {
    let directory = tempfile::tempdir()?;
    let daemon = testing::launch(PROGRAM)
        .arg("1")
        .env(LOAD_FAILS, "the disk is on fire")
        .directory(directory.path())
        .start();
    // It fails right after it was bound, or is seen before that.
    match daemon {
        Ok(daemon) => eventually("it says so", || {
            daemon.log().contains("the disk is on fire")
        }),
        Err(error) => assert!(error.to_string().contains("the disk is on fire"), "{error}"),
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn the_record_tells_what_was_there_before_main() -> Outcome {
    let place = common::Place::new()?;
    let _subject = place.subject()?;
    place.until("ready");
    assert_eq!(place.recorded("PREMAIN_THREADS")?, "1");
    if cfg!(brokered_portable) {
        return Ok(());
    }
    let microseconds: u64 = place.recorded("PREMAIN_US")?.parse()?;
    assert!(microseconds < 30_000_000, "{microseconds}");
    Ok(())
}
