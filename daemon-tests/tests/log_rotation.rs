//! The log is rotated by size, at a start and while the daemon runs, and no line is lost.

#![cfg(unix)]

mod common;
#[path = "common/tool.rs"]
mod tool;

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{
    ChildProcess, Fixture, ROOT, Signal, TestResult, as_user_nobody, chown, has_requirements,
    make_fifo, number_from_env, script, set_mode, signal_process, stderr, wait_until,
};

const LOGGING_DAEMON: &str = env!("CARGO_BIN_EXE_logging-daemon");

/// The size beyond which the logs of these tests are rotated.
const MAX_SIZE: u64 = 100_000;

/// How many lines each thread writes after a rotation. Those of all threads are smaller than [`MAX_SIZE`].
const LINES_AFTER: usize = 100;

const THREADS: usize = 4;

/// A client of the logging daemon, which looks at its log all the time.
fn client(fixture: &Fixture, line: &str) -> Command {
    client_of(fixture, LOGGING_DAEMON, line)
}

fn client_of(fixture: &Fixture, program: impl AsRef<std::ffi::OsStr>, line: &str) -> Command {
    let mut command = fixture.client_command_for(program, line);
    command
        .env("TEST_CLIENT_MAX_LOG_SIZE", MAX_SIZE.to_string())
        .env("BROKERED_TEST_LOG_CHECK_MS", "1");
    command
}

/// The reply to a line.
#[track_caller]
fn reply(command: &mut Command) -> String {
    let output = command.output().expect("the client can be run");
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// Lets the threads of a daemon write until its log is rotated. Returns how many lines each has written.
#[track_caller]
fn write_until_rotated(fixture: &Fixture, log: &Path, round: usize) -> Vec<usize> {
    let line = format!(
        "write {} {round} {THREADS} {LINES_AFTER}",
        log.to_str().expect("text")
    );
    let counts = reply(&mut client(fixture, &line));
    counts
        .lines()
        .map(|count| count.parse().expect("a number"))
        .collect()
}

fn older(log: &Path) -> PathBuf {
    let mut name = log.file_name().expect("a name").to_owned();
    name.push(".1");
    log.with_file_name(name)
}

/// The older part of a log and the log.
fn whole(log: &Path) -> String {
    fs::read_to_string(older(log)).unwrap_or_default()
        + &fs::read_to_string(log).expect("there is a log")
}

/// Asserts that each line that the writers of a round have written is there once, whole, and in its order.
#[track_caller]
fn assert_all_lines(text: &str, round: usize, counts: &[usize]) {
    let mut next = vec![0; counts.len()];
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let ["round", of_round, "writer", writer, "line", number, dashes] = words[..] else {
            panic!("not a whole line: {line:?}");
        };
        assert_eq!(dashes, "-".repeat(40), "{line:?}");
        if of_round.parse() == Ok(round) {
            let writer: usize = writer.parse().expect("a number");
            assert_eq!(number.parse(), Ok(next[writer]), "{line:?}");
            next[writer] += 1;
        }
    }
    assert_eq!(next, counts, "lines are missing in round {round}");
}

#[test]
fn a_running_daemon_rotates_its_log_and_loses_no_line() -> TestResult {
    let fixture = Fixture::new()?;
    reply(&mut client(&fixture, "round 0 writer 0 line 0 -"));
    let log = fixture.instance_directory()?.join("log");
    // The line of the request above.
    File::options().write(true).open(&log)?.set_len(0)?;
    for round in 0..10 {
        let counts = write_until_rotated(&fixture, &log, round);
        assert_all_lines(&whole(&log), round, &counts);
        assert!(fs::metadata(&log)?.len() < MAX_SIZE);
        assert!(fs::metadata(older(&log))?.len() > MAX_SIZE);
    }
    // Both parts are private.
    for part in [&log, &older(&log)] {
        assert_eq!(fs::metadata(part)?.mode() & 0o777, 0o600, "{part:?}");
    }
    Ok(())
}

#[test]
fn a_log_that_the_client_names_is_rotated_too() -> TestResult {
    let fixture = Fixture::new()?;
    let log = fixture.path().join("named.log");
    reply(client(&fixture, "the first line").env("TEST_CLIENT_LOG", &log));
    assert_eq!(fixture.record_value("MAX_LOG_SIZE")?, MAX_SIZE.to_string());
    write_until_rotated(&fixture, &log, 0);
    assert!(fs::read_to_string(older(&log))?.starts_with("the first line\n"));
    assert!(!whole(&log)[1..].contains("the first line"));
    Ok(())
}

#[test]
fn a_log_that_is_too_large_is_rotated_at_a_start() -> TestResult {
    let fixture = Fixture::new()?;
    let log = fixture.path().join("named.log");
    let earlier = "of an earlier daemon\n".repeat(5000);
    assert!(earlier.len() as u64 > MAX_SIZE);
    fs::write(&log, &earlier)?;
    // The first look of the daemon comes seconds later.
    reply(
        client(&fixture, "the first line")
            .env("TEST_CLIENT_LOG", &log)
            .env_remove("BROKERED_TEST_LOG_CHECK_MS"),
    );
    assert_eq!(fs::read_to_string(older(&log))?, earlier);
    assert_eq!(fs::read_to_string(&log)?, "the first line\n");
    Ok(())
}

#[test]
fn a_log_without_a_limit_is_left_alone() -> TestResult {
    let fixture = Fixture::new()?;
    let log = fixture.path().join("named.log");
    let earlier = "of an earlier daemon\n".repeat(1_000_000);
    fs::write(&log, &earlier)?;
    reply(
        client(&fixture, "a line")
            .env("TEST_CLIENT_LOG", &log)
            .env("TEST_CLIENT_MAX_LOG_SIZE", "none"),
    );
    // The daemon looks at a log every millisecond, if at all.
    reply(&mut client(&fixture, "child sleep 0.1"));
    assert_eq!(fixture.record_value("MAX_LOG_SIZE")?, "0");
    assert_eq!(fs::metadata(&log)?.len(), earlier.len() as u64 + 7);
    assert!(!older(&log).exists());
    // The tool starts the daemon again with the same choice.
    let directory = fixture.project_directory();
    let directory = directory.to_str().ok_or("a path of text")?;
    fixture
        .brokered(&["restart", "test-daemon", "-C", directory])
        .success();
    assert_eq!(fixture.record_value("MAX_LOG_SIZE")?, "0");
    assert!(!older(&log).exists());
    Ok(())
}

#[test]
fn the_default_limit_is_ten_mebibytes() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.request("pid")?;
    assert_eq!(
        fixture.record_value("MAX_LOG_SIZE")?,
        (10 * 1024 * 1024).to_string()
    );
    Ok(())
}

#[test]
fn output_that_is_not_the_log_is_left_alone() -> TestResult {
    let fixture = Fixture::new()?;
    // A pipe, which a reader empties.
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || {
            let mut text = String::new();
            File::open(fifo).and_then(|mut fifo| fifo.read_to_string(&mut text))?;
            std::io::Result::Ok(text)
        })
    };
    let fill = format!("fill {}", 2 * MAX_SIZE);
    reply(client(&fixture, &fill).env("TEST_CLIENT_LOG", &fifo));
    let wrapper_output = fixture.path().join("own-output");
    signal_process(fixture.pid(), Signal::SIGTERM);
    let text = reader.join().map_err(|_| "the reader panicked")??;
    assert!(text.len() as u64 > 2 * MAX_SIZE);
    assert!(fs::metadata(&fifo)?.file_type().is_fifo());
    assert!(!older(&fifo).exists());
    wait_until("the daemon has ended", || {
        fixture.is_lock_free().unwrap_or_default()
    });

    // A file that a wrapper of the daemon has chosen. The log stays empty.
    let wrapper = script(
        &fixture,
        &format!("exec {LOGGING_DAEMON} > {} 2>&1", wrapper_output.display()),
    )?;
    let log = fixture.path().join("named.log");
    reply(client_of(&fixture, &wrapper, &fill).env("TEST_CLIENT_LOG", &log));
    reply(&mut client(&fixture, "child sleep 0.1"));
    reply(&mut client(&fixture, "the last line"));
    let written = fs::read_to_string(&wrapper_output)?;
    assert!(written.ends_with("\nthe last line\n"), "{}", written.len());
    assert!(written.len() as u64 > 2 * MAX_SIZE);
    assert_eq!(fs::read(&log)?, b"");
    assert!(!older(&log).exists() && !older(&wrapper_output).exists());
    Ok(())
}

#[test]
fn a_daemon_that_was_started_by_hand_keeps_its_output() -> TestResult {
    let fixture = Fixture::new()?;
    let output = fixture.path().join("output");
    let file = File::options().create(true).append(true).open(&output)?;
    let daemon = fixture
        .command(LOGGING_DAEMON)
        .env("BROKERED_TEST_LOG_CHECK_MS", "1")
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    let _daemon = ChildProcess(daemon);
    fixture.wait_for_phase("ready");
    reply(&mut client(&fixture, &format!("fill {}", 2 * MAX_SIZE)));
    reply(&mut client(&fixture, "child sleep 0.1"));
    reply(&mut client(&fixture, "the last line"));
    assert!(fs::read_to_string(&output)?.ends_with("\nthe last line\n"));
    assert!(!older(&output).exists());
    assert!(!fixture.instance_directory()?.join("log").exists());
    Ok(())
}

#[test]
fn a_file_that_another_program_has_put_at_the_path_is_continued() -> TestResult {
    let fixture = Fixture::new()?;
    let log = fixture.path().join("named.log");
    let moved = fixture.path().join("moved.log");
    let with_log = |line: &str| {
        let mut command = client(&fixture, line);
        command.env("TEST_CLIENT_LOG", &log);
        command
    };
    reply(&mut with_log("first"));
    // As logrotate does. The new file is larger than the limit for a moment.
    fs::write(fixture.path().join("new"), "")?;
    fs::rename(&log, &moved)?;
    fs::rename(fixture.path().join("new"), &log)?;
    let reaches = |file: &Path, text: &str| {
        wait_until(text, || {
            reply(&mut with_log(text));
            fs::read_to_string(file).is_ok_and(|contents| contents.contains(text))
        });
    };
    reaches(&log, "second");
    assert!(fs::read_to_string(&moved)?.starts_with("first\n"));
    assert!(!older(&log).exists(), "it was not too large");
    // A file that is missing is created.
    fs::remove_file(&log)?;
    reaches(&log, "third");
    // A file that was truncated is continued at its beginning.
    File::options().write(true).open(&log)?.set_len(0)?;
    reply(&mut with_log("fourth"));
    assert_eq!(fs::read_to_string(&log)?, "fourth\n");
    assert!(!older(&log).exists());
    Ok(())
}

#[test]
fn a_log_that_cannot_be_opened_anew_is_continued_and_that_is_reported_once() -> TestResult {
    let fixture = Fixture::new()?;
    let log = fixture.path().join("named.log");
    let moved = fixture.path().join("moved.log");
    let target = fixture.path().join("target");
    let with_log = |line: &str| {
        let mut command = client(&fixture, line);
        command.env("TEST_CLIENT_LOG", &log);
        command
    };
    reply(&mut with_log("first"));
    fs::write(&target, "")?;
    symlink(&target, fixture.path().join("link"))?;
    fs::rename(&log, &moved)?;
    fs::rename(fixture.path().join("link"), &log)?;
    let reports = || {
        let text = fs::read_to_string(&moved).unwrap_or_default();
        text.matches("the daemon tries again every").count()
    };
    wait_until("the daemon reports it", || reports() > 0);
    reply(&mut with_log("second"));
    // Many more looks.
    reply(&mut with_log("child sleep 0.1"));
    assert_eq!(reports(), 1);
    let text = fs::read_to_string(&moved)?;
    assert!(text.starts_with("first\n"), "{text}");
    assert!(text.ends_with("second\n"), "{text}");
    assert!(text.contains("cannot be opened anew"), "{text}");
    assert_eq!(fs::read(&target)?, b"", "no link is followed");
    // When nothing is in the way any more, the daemon continues in a new file.
    fs::remove_file(&log)?;
    wait_until("the daemon has a log again", || {
        reply(&mut with_log("third"));
        fs::read_to_string(&log).is_ok_and(|text| text.contains("third"))
    });
    Ok(())
}

/// The instance directory and the directory of the log belong to user `nobody`.
fn nobodys_client(fixture: &Fixture, log: &Path, line: &str) -> Command {
    let mut command = client(fixture, line);
    command.env("TEST_CLIENT_LOG", log);
    as_user_nobody(&command)
}

#[test]
fn a_log_in_a_directory_without_write_permission_grows_and_that_is_reported_once() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let directory = fixture.path().join("logs");
    fs::create_dir(&directory)?;
    let log = directory.join("named.log");
    fs::write(&log, "")?;
    chown(fixture.path(), "nobody")?;
    chown(&directory, "root")?;
    chown(&log, "nobody")?;
    let fill = format!("fill {}", 2 * MAX_SIZE);
    reply(&mut nobodys_client(&fixture, &log, &fill));
    let reports = || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.matches("cannot be renamed").count()
    };
    wait_until("the daemon reports it", || reports() > 0);
    reply(&mut nobodys_client(&fixture, &log, "child sleep 0.1"));
    reply(&mut nobodys_client(&fixture, &log, "the last line"));
    assert_eq!(reports(), 1);
    assert!(fs::read_to_string(&log)?.ends_with("\nthe last line\n"));
    // Renamed by another, and cannot be created: the daemon continues in the renamed file, and renames nothing.
    let moved = directory.join("moved.log");
    fs::rename(&log, &moved)?;
    reply(&mut nobodys_client(&fixture, &log, "child sleep 0.1"));
    reply(&mut nobodys_client(&fixture, &log, "after the rename"));
    assert!(fs::read_to_string(&moved)?.ends_with("\nafter the rename\n"));
    assert_eq!(fs::read_dir(&directory)?.count(), 1);
    // With the permission, it rotates again.
    set_mode(&directory, 0o777)?;
    wait_until("the daemon has a log again", || {
        reply(&mut nobodys_client(&fixture, &log, "at last"));
        fs::read_to_string(&log).is_ok_and(|text| text.contains("at last"))
    });
    Ok(())
}

#[test]
fn a_foreign_users_file_at_the_path_receives_nothing() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let log = fixture.path().join("named.log");
    let moved = fixture.path().join("moved.log");
    chown(fixture.path(), "nobody")?;
    reply(&mut nobodys_client(&fixture, &log, "first"));
    let foreign = fixture.path().join("foreign");
    fs::write(&foreign, "")?;
    set_mode(&foreign, 0o666)?;
    fs::rename(&log, &moved)?;
    fs::rename(&foreign, &log)?;
    wait_until("the daemon reports it", || {
        fs::read_to_string(&moved).is_ok_and(|text| text.contains("it belongs to user 0"))
    });
    reply(&mut nobodys_client(&fixture, &log, "second"));
    assert_eq!(fs::read(&log)?, b"");
    assert!(fs::read_to_string(&moved)?.ends_with("second\n"));
    Ok(())
}

#[test]
fn a_file_with_another_name_at_the_path_receives_nothing() -> TestResult {
    let fixture = Fixture::new()?;
    let path = |name: &str| fixture.path().join(name);
    let (log, moved) = (path("named.log"), path("moved.log"));
    let with_log = |line: &str| {
        let mut command = client(&fixture, line);
        command.env("TEST_CLIENT_LOG", &log);
        command
    };
    reply(&mut with_log("first"));
    fs::write(path("other"), "of another program\n")?;
    fs::hard_link(path("other"), path("link"))?;
    // In one step, because the daemon creates a log that is missing.
    fs::hard_link(&log, &moved)?;
    fs::rename(path("link"), &log)?;
    wait_until("the daemon reports it", || {
        fs::read_to_string(&moved).is_ok_and(|text| text.contains("it has several hard links"))
    });
    reply(&mut with_log("second"));
    assert_eq!(fs::read_to_string(path("other"))?, "of another program\n");
    assert!(fs::read_to_string(&moved)?.ends_with("second\n"));
    fs::remove_file(&log)?;
    wait_until("the daemon has a log again", || {
        reply(&mut with_log("third"));
        fs::read_to_string(&log).is_ok_and(|text| text.contains("third"))
    });
    // A second name of the file that is the log already is no reason to let it grow.
    fs::hard_link(&log, path("kept"))?;
    reply(&mut with_log(&format!("fill {}", 2 * MAX_SIZE)));
    wait_until("the log is rotated", || {
        older(&log).exists() && log.exists()
    });
    assert!(fs::metadata(path("kept"))?.len() > MAX_SIZE);
    Ok(())
}

#[test]
fn a_log_on_a_file_system_that_does_not_answer_blocks_nothing_else() -> TestResult {
    if !has_requirements(&["cc"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let library = fixture.path().join("fault.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/statx_fault.c"))
        .output()?;
    assert!(compiled.status.success(), "{}", stderr(&compiled));
    let log = fixture.path().join("named.log");
    let fault = fixture.path().join("fault");
    reply(
        client(&fixture, "first")
            .env("TEST_CLIENT_LOG", &log)
            .env("LD_PRELOAD", &library)
            .env("STATX_FAULT_PATH", &log)
            .env("STATX_FAULT_FILE", &fault),
    );
    // In one step, because the daemon reads the file at any time.
    let block = || -> TestResult {
        fs::write(fault.with_extension("new"), "block")?;
        Ok(fs::rename(fault.with_extension("new"), &fault)?)
    };
    block()?;
    reply(&mut client(&fixture, &format!("fill {}", 2 * MAX_SIZE)));
    let answer = |command: &str| fixture.brokered(&[command, "test-daemon"]).success();
    answer("status");
    // The looks go on when the file system answers.
    fs::remove_file(&fault)?;
    wait_until("the log is rotated", || older(&log).exists());
    let looks = || -> Result<usize, Box<dyn Error>> {
        let tasks = fs::read_dir(format!("/proc/{}/task", fixture.pid()))?;
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        Ok(names
            .filter(|name| name.trim_end() == "brokered-log")
            .count())
    };
    block()?;
    reply(&mut client(&fixture, &format!("fill {}", 2 * MAX_SIZE)));
    assert_eq!(looks()?, 1);
    answer("status");
    answer("stop");
    assert!(fixture.is_lock_free()?, "no drain waits for the look");
    Ok(())
}

#[test]
fn two_daemons_with_one_log_both_follow_its_rotation() -> TestResult {
    let fixture = Fixture::new()?;
    let second_directory = fixture.path().join("second");
    fs::create_dir(&second_directory)?;
    let log = fixture.path().join("shared.log");
    let with_log = |directory: &Path, line: &str| {
        let mut command = fixture.command_without_instance(common::TEST_CLIENT);
        command
            .arg(directory)
            .arg(LOGGING_DAEMON)
            .arg(line)
            .env("TEST_CLIENT_LOG", &log)
            .env("TEST_CLIENT_MAX_LOG_SIZE", MAX_SIZE.to_string())
            .env("BROKERED_TEST_LOG_CHECK_MS", "1");
        command
    };
    let both = [fixture.project_directory(), second_directory];
    for directory in &both {
        reply(&mut with_log(directory, "first"));
    }
    for round in 0..number_from_env("ROUNDS", 5)? {
        // Both write at full speed, and both find the log too large. One of them renames it.
        let line = format!("write {} {round} {THREADS} {LINES_AFTER}", log.display());
        let clients: Vec<_> = both
            .iter()
            .map(|directory| {
                let mut client = with_log(directory, &line);
                std::thread::spawn(move || reply(&mut client))
            })
            .collect();
        for client in clients {
            client.join().map_err(|_| "a client failed")?;
        }
        for (number, directory) in both.iter().enumerate() {
            let text = format!("of {number} in round {round}");
            wait_until("the daemon continues in the new file", || {
                reply(&mut with_log(directory, &text));
                fs::read_to_string(&log).is_ok_and(|log| log.contains(&text))
            });
        }
        assert!(fs::metadata(older(&log))?.len() > MAX_SIZE, "{round}");
    }
    Ok(())
}

#[test]
fn processes_that_write_to_one_log_take_turns_to_rotate_it() -> TestResult {
    let fixture = Fixture::new()?;
    reply(&mut client(&fixture, "first"));
    let log = fixture.instance_directory()?.join("log");
    // This process is between its look at the log and the rename. A second rename would replace the older part by the
    // file that is created after the first one.
    let open = File::options().append(true).open(&log)?;
    open.lock()?;
    reply(&mut client(&fixture, &format!("fill {}", 2 * MAX_SIZE)));
    reply(&mut client(&fixture, "child sleep 0.1"));
    assert!(!older(&log).exists());
    open.unlock()?;
    wait_until("the daemon rotates its log", || older(&log).exists());
    Ok(())
}

#[test]
fn a_failed_launch_shows_the_daemons_output_after_a_rotation() -> TestResult {
    let fixture = Fixture::new()?;
    reply(&mut client(&fixture, "of an earlier daemon"));
    signal_process(fixture.pid(), Signal::SIGTERM);
    wait_until("the daemon has ended", || {
        fixture.is_lock_free().unwrap_or_default()
    });
    let output = client(&fixture, "-")
        .env(daemon_tests::LOAD_ERROR, "no such shard")
        .env("TEST_CLIENT_WAIT", "ready")
        .output()?;
    let error = stderr(&output);
    let log = fixture.instance_directory()?.join("log");
    let (older, log) = (fs::read_to_string(older(&log))?, fs::read_to_string(&log)?);
    assert!(older.contains("earlier") && older.contains("before the rotation"));
    // The end of the output is from the new file, and what is before it from the older one.
    assert!(error.contains("after the rotation\n"), "{error}");
    assert!(error.contains("no such shard"), "{error}");
    let shown = error.matches("round 0 writer 0 line").count();
    let in_log = log.matches("round 0 writer 0 line").count();
    assert!(
        shown > in_log,
        "{shown} lines, {in_log} of them in the log: {error}"
    );
    assert!(!error.contains("earlier"), "{error}");
    Ok(())
}

#[test]
fn a_child_keeps_the_renamed_file_and_a_later_child_has_the_new_one() -> TestResult {
    let fixture = Fixture::new()?;
    let go = fixture.path().join("go");
    reply(&mut client(&fixture, "first"));
    let log = fixture.instance_directory()?.join("log");
    let commands = format!(
        "child (until [ -e {} ]; do sleep 0.01; done; echo early child) &",
        go.display()
    );
    reply(&mut client(&fixture, &commands));
    write_until_rotated(&fixture, &log, 0);
    reply(&mut client(
        &fixture,
        "child echo late child; echo its error >&2",
    ));
    File::create(&go)?;
    wait_until("the early child writes to the renamed file", || {
        fs::read_to_string(older(&log)).is_ok_and(|text| text.ends_with("early child\n"))
    });
    let log = fs::read_to_string(&log)?;
    assert!(log.ends_with("late child\nits error\n"), "{log}");
    Ok(())
}

#[test]
fn the_frameworks_lines_have_a_time_in_a_log_only() -> TestResult {
    let fixture = Fixture::new()?;
    // The error of a handler is reported.
    fixture.client_command("error").output()?;
    let log = fixture.instance_directory()?.join("log");
    let text = fs::read_to_string(&log)?;
    let line = text
        .lines()
        .find(|line| line.contains("test-daemon: "))
        .ok_or("no line of the framework")?;
    let (time, _) = line.split_once(' ').ok_or("one word")?;
    let now = Command::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])
        .output()?;
    let now = String::from_utf8(now.stdout)?;
    let pattern: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(pattern, "0000-00-00T00:00:00Z", "{line}");
    assert!(time <= now.trim_end(), "{line}");
    let hour_ago = Command::new("date")
        .args(["-u", "-d", "1 hour ago", "+%Y-%m-%dT%H:%M:%SZ"])
        .output()?;
    assert!(
        time > String::from_utf8(hour_ago.stdout)?.trim_end(),
        "{line}"
    );
    assert!(line[time.len()..].starts_with(" test-daemon: "), "{line}");

    // Standard error is a pipe.
    let by_hand = Fixture::new()?;
    let daemon = by_hand.start_daemon()?;
    by_hand.whole_reply("error")?;
    daemon.signal(Signal::SIGTERM);
    let text = stderr(&daemon.wait_with_output()?);
    assert!(
        text.lines().any(|line| line.starts_with("test-daemon: ")),
        "{text}"
    );
    Ok(())
}

// The tool

#[test]
fn the_tool_follows_each_rotation_without_a_gap() -> TestResult {
    let fixture = Fixture::new()?;
    reply(&mut client(&fixture, "first"));
    let log = fixture.instance_directory()?.join("log");
    let mut following = ChildProcess(
        fixture
            .tool(&["log", "test-daemon", "-f"])
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut lines = BufReader::new(following.0.stdout.take().ok_or("no pipe")?).lines();
    assert_eq!(lines.next().ok_or("the end")??, "first");
    for round in 0..5 {
        let counts = write_until_rotated(&fixture, &log, round);
        let text: Vec<String> = lines
            .by_ref()
            .take(counts.iter().sum())
            .collect::<Result<_, _>>()?;
        assert_all_lines(&text.join("\n"), round, &counts);
    }
    Ok(())
}

#[test]
fn the_tool_follows_two_rotations_between_two_looks() -> TestResult {
    let fixture = Fixture::new()?;
    // The log is only written by this test.
    fixture.start_test_daemon();
    let log = fixture.instance_directory()?.join("log");
    let append = |path: &Path, text: &str| -> TestResult {
        let mut file = File::options().append(true).create(true).open(path)?;
        Ok(file.write_all(text.as_bytes())?)
    };
    append(&older(&log), "a\nb\n")?;
    append(&log, "c\n")?;
    let printed = |arguments: &[&str]| {
        fixture
            .brokered(&[&["log", "test-daemon"], arguments].concat())
            .success()
    };
    // Both parts are one log.
    assert_eq!(printed(&[]), "a\nb\nc\n");
    assert_eq!(printed(&["-n", "1"]), "c\n");
    assert_eq!(printed(&["-n", "2"]), "b\nc\n");
    assert_eq!(printed(&["-n", "3"]), "a\nb\nc\n");
    assert_eq!(printed(&["-n", "4"]), "a\nb\nc\n");
    assert_eq!(printed(&["-n", "0"]), "");

    let mut following = ChildProcess(
        fixture
            .tool(&["log", "test-daemon", "-f", "-n", "1"])
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut lines = BufReader::new(following.0.stdout.take().ok_or("no pipe")?).lines();
    let mut next = || {
        lines
            .next()
            .ok_or("the end")?
            .map_err(Box::<dyn Error>::from)
    };
    assert_eq!(next()?, "c");
    signal_process(following.pid(), Signal::SIGSTOP);
    append(&log, "d\n")?;
    fs::rename(&log, older(&log))?;
    append(&log, "e\n")?;
    fs::rename(&log, older(&log))?;
    append(&log, "f\n")?;
    signal_process(following.pid(), Signal::SIGCONT);
    for expected in ["d", "e", "f"] {
        assert_eq!(next()?, expected);
    }
    // A child of the daemon may still write to the older part.
    append(&older(&log), "of a child\n")?;
    assert_eq!(next()?, "of a child");
    append(&log, "g\n")?;
    assert_eq!(next()?, "g");
    Ok(())
}

#[test]
fn the_tool_shows_the_older_part_once_if_the_log_is_removed() -> TestResult {
    let fixture = Fixture::new()?;
    // The log is only written by this test.
    fixture.start_test_daemon();
    let log = fixture.instance_directory()?.join("log");
    fs::write(older(&log), "a\n")?;
    fs::write(&log, "b\n")?;
    let mut following = ChildProcess(
        fixture
            .tool(&["log", "test-daemon", "-f"])
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut lines = BufReader::new(following.0.stdout.take().ok_or("no pipe")?).lines();
    let mut next = || {
        lines
            .next()
            .ok_or("the end")?
            .map_err(Box::<dyn Error>::from)
    };
    assert_eq!(next()?, "a");
    assert_eq!(next()?, "b");
    for text in ["c", "d", "e"] {
        fs::remove_file(&log)?;
        fs::write(&log, format!("{text}\n"))?;
        assert_eq!(next()?, text);
    }
    // The next rotation is followed as before.
    fs::rename(&log, older(&log))?;
    fs::write(&log, "f\n")?;
    assert_eq!(next()?, "f");
    fs::remove_file(&log)?;
    fs::write(&log, "g\n")?;
    assert_eq!(next()?, "g");
    Ok(())
}

#[test]
fn the_tool_names_the_part_of_which_it_shows_only_the_end() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    let log = fixture.instance_directory()?.join("log");
    let names = |part: &Path| format!("brokered: {} is long: only its last", part.display());
    let shown = || fixture.brokered(&["log", "test-daemon", "-n", "0"]).err;
    File::create(older(&log))?.set_len(65 * 1024 * 1024)?;
    let text = shown();
    assert!(text.contains(&names(&older(&log))), "{text}");
    assert!(!text.contains(&names(&log)), "{text}");
    fs::rename(older(&log), &log)?;
    let text = shown();
    assert!(text.contains(&names(&log)), "{text}");
    assert!(!text.contains(&names(&older(&log))), "{text}");
    Ok(())
}
