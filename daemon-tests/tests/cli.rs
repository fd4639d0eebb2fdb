//! The operator's tool, among daemons that run, that fail, that hang, and that only seem to be there.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

mod common;
#[path = "common/tool.rs"]
mod tool;

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use common::{
    BACKEND, Fixture, SINGLE_INSTANCE_DAEMON, Signal, TEST_DAEMON, TestResult, has_requirements,
    make_fifo, set_mode, signal_process, stderr, wait_until,
};
use daemon_tests::{LOAD_ERROR, LOAD_FIFO};
use serde_json::Value;
use tool::Said;

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// The one daemon that the tool lists.
fn only(list: &Value) -> &Value {
    let daemons = list["daemons"].as_array().expect("a list");
    assert_eq!(daemons.len(), 1, "{list:#}");
    &daemons[0]
}

#[test]
fn a_daemon_goes_through_all_of_its_life() -> TestResult {
    let fixture = Fixture::new()?;
    let none = fixture.brokered(&["list"]).well();
    assert_eq!(none, "no daemons run\n");
    let pid = fixture.start_test_daemon();

    let list = fixture.brokered(&["list"]).well();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 2, "{list}");
    assert!(lines[0].starts_with("NAME         PHASE"), "{list}");
    let row = format!("test-daemon  ready  {pid}");
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeezed(lines[1]).starts_with(&squeezed(&row)), "{list}");
    assert!(
        lines[1].ends_with(text(&fixture.project_directory())),
        "{list}"
    );

    let holding = fixture.send("hold")?;
    wait_until("the client is counted", || {
        fixture.brokered_json(&["status", "test-daemon"])["clients"] == 1
    });
    let status = fixture.brokered(&["status", "test-daemon"]).well();
    for part in ["phase", "ready", "state", "Loaded: loaded in", "1 now"] {
        assert!(status.contains(part), "{part}: {status}");
    }
    drop(holding);

    fixture.brokered(&["wait", "test-daemon"]).well();
    assert_eq!(fixture.brokered(&["probe", "test-daemon"]).well(), "");
    let path = fixture.brokered(&["path", "test-daemon"]).well();
    assert!(
        UnixStream::connect(path.trim_end()).is_ok(),
        "{path} leads to the daemon"
    );

    let again = fixture.brokered(&["start", "test-daemon"]).well();
    assert!(again.contains("runs already"), "{again}");
    let restarted = fixture.brokered(&["restart", "test-daemon"]).well();
    assert!(restarted.contains("restarted"), "{restarted}");
    assert_ne!(fixture.pid(), pid);
    let ended = fixture.brokered(&["stop", "test-daemon"]).well();
    assert_eq!(ended, "test-daemon has ended\n");
    assert!(fixture.is_lock_free()?);
    let again = fixture.brokered(&["stop", "test-daemon"]).well();
    assert_eq!(again, "test-daemon was not running\n");
    assert_eq!(fixture.brokered(&["list"]).well(), "no daemons run\n");
    let all = fixture.brokered_json(&["list", "--all"]);
    assert_eq!(only(&all)["state"], "ended");
    Ok(())
}

#[test]
fn what_ran_is_what_is_restarted() -> TestResult {
    let fixture = Fixture::new()?;
    let directory = fixture.project_directory();
    let arguments = ["3", "", "two words", "new\nline", "-x", "ä=%"];
    let mut start = vec![
        "start",
        "test-daemon",
        "-C",
        text(&directory),
        "-p",
        TEST_DAEMON,
        "--",
    ];
    start.extend(arguments);
    fixture.brokered(&start).well();
    let before = fixture.brokered_json(&["status", "test-daemon"]);
    assert_eq!(before["arguments"], serde_json::json!(arguments));
    fixture.brokered(&["restart", "test-daemon"]).well();
    let after = fixture.brokered_json(&["status", "test-daemon"]);
    for same in [
        "program",
        "arguments",
        "directory",
        "endpoint",
        "log",
        "contract",
    ] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_ne!(before["pid"], after["pid"]);
    let pid = after["pid"].as_u64().expect("a process");
    let given = fs::read(format!("/proc/{pid}/cmdline"))?;
    let given: Vec<String> = given
        .split(|byte| *byte == 0)
        .skip(1)
        .take(arguments.len())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    assert_eq!(given, arguments);
    Ok(())
}

#[test]
fn nothing_is_stopped_that_could_not_be_started_again() -> TestResult {
    let fixture = Fixture::new()?;
    let backend = fixture.start(fixture.command(BACKEND))?;
    let error = fixture.brokered(&["restart", "backend"]).badly(2);
    assert!(error.contains("--program"), "{error}");
    assert!(!fixture.is_lock_free()?);
    drop(backend);
    Ok(())
}

#[test]
fn a_start_that_fails_says_why() -> TestResult {
    let fixture = Fixture::new()?;
    let directory = fixture.project_directory();
    let start = ["start", "test-daemon", "-C", text(&directory)];
    let error = fixture.brokered(&start).badly(2);
    assert!(error.contains("--program"), "{error}");
    let with = |program: &str| fixture.brokered(&[&start[..], &["-p", program]].concat());
    let error = with("/nowhere/to/be/found").badly(1);
    assert!(error.contains("/nowhere/to/be/found"), "{error}");
    let error = with("/bin/false").badly(1);
    assert!(error.contains("exit status: 1"), "{error}");
    let error = with(SINGLE_INSTANCE_DAEMON).badly(1);
    assert!(
        error.contains("test-daemon") && error.contains("single"),
        "{error}"
    );
    let failing = fixture
        .tool(&[&start[..], &["-p", TEST_DAEMON]].concat())
        .env(LOAD_ERROR, "no such shard")
        .output()?;
    let error = Said::of(&failing).badly(1);
    assert!(error.contains("no such shard"), "{error}");
    let list = fixture.brokered(&["list"]).well();
    assert!(
        list.contains("failed") && list.contains("no such shard"),
        "{list}"
    );
    let doctor = fixture.brokered(&["doctor"]).well();
    assert!(
        doctor.contains("has failed") && doctor.contains("no such shard"),
        "{doctor}"
    );
    Ok(())
}

#[test]
fn waiting_and_probing_tell_how_far_a_daemon_is() -> TestResult {
    let fixture = Fixture::new()?;
    assert_eq!(fixture.brokered(&["probe", "test-daemon"]).badly(3), "");
    fixture.brokered(&["wait", "test-daemon"]).badly(3);
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = fixture.command(TEST_DAEMON);
    command.env(LOAD_FIFO, &fifo);
    let subject = fixture.start(command)?;
    fixture.wait_for_phase("loading");
    assert_eq!(fixture.brokered(&["probe", "test-daemon"]).badly(1), "");
    assert_eq!(
        fixture.brokered(&["probe", "--live", "test-daemon"]).well(),
        ""
    );
    let list = fixture.brokered(&["list"]).well();
    assert!(list.contains("loading"), "{list}");
    let error = fixture
        .brokered(&["wait", "test-daemon", "--timeout", "50ms"])
        .badly(5);
    assert!(error.contains("loading"), "{error}");

    let waiting = fixture
        .tool(&["wait", "test-daemon"])
        .stdout(Stdio::piped())
        .spawn()?;
    fs::write(&fifo, "loaded")?;
    let output = waiting.wait_with_output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout)?, "test-daemon is ready\n");
    fixture.brokered(&["probe", "test-daemon"]).well();

    subject.signal(Signal::SIGSTOP);
    let probed = fixture.brokered(&["probe", "test-daemon", "--timeout", "50ms"]);
    assert_eq!(probed.badly(4), "");
    let status = fixture.brokered(&["status", "test-daemon", "--timeout", "50ms"]);
    assert_eq!(status.code, Some(4));
    assert!(status.out.contains("silent"), "{}", status.out);
    subject.signal(Signal::SIGCONT);
    fixture.brokered(&["probe", "test-daemon"]).well();
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can tell a process from a later one with its number"
)]
fn a_daemon_that_does_not_answer_is_sent_a_signal_and_nobody_else_is() -> TestResult {
    let fixture = Fixture::new()?;
    let subject = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    subject.signal(Signal::SIGSTOP);
    let error = fixture
        .brokered(&["stop", "test-daemon", "--timeout", "3s"])
        .badly(5);
    assert!(!error.is_empty());
    // It was sent, and waits for the process to go on.
    subject.signal(Signal::SIGCONT);
    let output = subject.wait_with_output()?;
    assert!(output.status.success(), "{output:?}");
    assert!(fixture.is_lock_free()?);
    Ok(())
}

/// A directory of an instance with this record, whose lock a process of the test's holds, if it is to be held.
fn impostor(
    fixture: &Fixture,
    name: &str,
    record: impl AsRef<[u8]>,
) -> Result<PathBuf, Box<dyn Error>> {
    let directory = fixture.runtime_directory().join(name);
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    fs::write(directory.join("record"), record)?;
    Ok(directory)
}

fn record(name: &str, pid: u32, directory: &Path) -> String {
    format!(
        "FORMAT=1\nNAME={name}\nCONTRACT=1\nENDPOINT={}\nPID={pid}\nPHASE=ready\nOWNER=launcher\n\
         STARTED=1700000000.007000\nSTARTED_AFTER_BOOT_US=1\n",
        directory.join("socket").display()
    )
}

#[test]
fn a_number_that_is_somebody_elses_by_now_is_not_killed() -> TestResult {
    let fixture = Fixture::new()?;
    let mut bystander = Command::new("sleep").arg("600").spawn()?;
    let pid = bystander.id();
    let directory = fixture.runtime_directory().join("other");
    let directory = impostor(&fixture, "other", record("other", pid, &directory))?;
    // With the lock free it is history.
    let said = fixture.brokered(&["stop", "other"]).well();
    assert!(said.contains("was not running"), "{said}");
    let lock = fs::File::open(&directory)?;
    lock.try_lock()?;
    let said = fixture.brokered(&["stop", "other", "--timeout", "3s"]);
    let list = fixture.brokered(&["list", "--timeout", "50ms"]);
    let doctor = fixture.brokered(&["doctor"]);
    drop(lock);
    let alive = bystander.try_wait()?.is_none();
    bystander.kill()?;
    bystander.wait()?;
    assert!(alive, "the bystander was killed");
    let error = said.badly(4);
    assert!(error.contains(&pid.to_string()), "{error}");
    let list = list.well();
    assert!(list.contains("silent"), "{list}");
    let doctor = doctor.out;
    assert!(
        doctor.contains("problem") && doctor.contains("fuser"),
        "{doctor}"
    );
    Ok(())
}

#[test]
fn two_stops_at_once_lose_nobodys_answer() -> TestResult {
    let fixture = Fixture::new()?;
    for _ in 0..5 {
        fixture.start_test_daemon();
        let mut client = fixture.send("hold")?;
        let mut line = String::new();
        client.read_line(&mut line)?;
        assert_eq!(line, "holding\n");
        let stop = || {
            fixture
                .tool(&["stop", "test-daemon"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        };
        let stops = [stop()?, stop()?, stop()?];
        fixture.wait_for_phase("draining");
        client.get_ref().shutdown(std::net::Shutdown::Write)?;
        line.clear();
        client.read_line(&mut line)?;
        assert_eq!(line, "held\n");
        drop(client);
        for stop in stops {
            let output = stop.wait_with_output()?;
            assert!(output.status.success(), "{}", stderr(&output));
        }
        assert!(fixture.is_lock_free()?);
    }
    Ok(())
}

#[test]
fn a_stale_record_is_history() -> TestResult {
    let fixture = Fixture::new()?;
    let subject = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    subject.signal(Signal::SIGKILL);
    drop(subject);
    let list = fixture.brokered(&["list"]).well();
    assert!(list.contains("ended without a word"), "{list}");
    assert_eq!(only(&fixture.brokered_json(&["list"]))["pid"], Value::Null);
    fixture.brokered(&["status", "test-daemon"]).badly(3);
    let doctor = fixture.brokered(&["doctor"]).well();
    assert!(doctor.contains("history"), "{doctor}");
    // And it tells how to start it again.
    fixture.brokered(&["start", "test-daemon"]).well();
    fixture.brokered(&["stop", "test-daemon"]).well();
    Ok(())
}

#[test]
fn records_that_make_no_sense_are_said_to_and_hide_nobody() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    let whole = record("torn", 1, &fixture.runtime_directory().join("torn"));
    let future = whole.replace("FORMAT=1", "FORMAT=7");
    let tomorrow = whole.replace("STARTED=1700000000", "STARTED=99999999999");
    let huge = format!("{whole}{}", "X=1\n".repeat(100_000));
    for (name, contents) in [
        ("torn", whole.as_bytes()[..40].to_vec()),
        ("empty", Vec::new()),
        ("binary", vec![0xff, 0x00, 0xfe, b'\n']),
        ("future", future.into_bytes()),
        ("tomorrow", tomorrow.into_bytes()),
        ("huge", huge.into_bytes()),
    ] {
        impostor(&fixture, name, contents)?;
    }
    let fifo = impostor(&fixture, "fifo", "")?.join("record");
    fs::remove_file(&fifo)?;
    make_fifo(&fifo)?;
    let link = impostor(&fixture, "link", "")?.join("record");
    fs::remove_file(&link)?;
    symlink("/etc/passwd", &link)?;
    fs::write(fixture.runtime_directory().join("stray"), "file")?;

    let list = fixture.brokered(&["list"]);
    let doctor = fixture.brokered(&["doctor"]);
    // Whoever cleans up would wait for its other end.
    fs::remove_file(&fifo)?;
    let (list, doctor) = (list.well(), doctor.well());
    for (name, why) in [
        ("torn", "it lacks"),
        ("empty", "it is empty"),
        ("binary", "it is no text"),
        ("future", "format 7"),
        ("huge", "longer than 64 KiB"),
        ("fifo", "no regular file"),
    ] {
        let said = |line: &str| line.starts_with(&format!("{name}: ")) && line.contains(why);
        assert!(list.lines().any(said), "{name}: {list}");
    }
    assert!(!list.contains("root:"), "{list}");
    let running = list.lines().nth(1).expect("a row");
    assert!(
        running.starts_with("test-daemon"),
        "the living come first: {list}"
    );
    for part in [
        "stray",
        "written later than now",
        "the next start replaces it",
    ] {
        assert!(doctor.contains(part), "{part}: {doctor}");
    }
    Ok(())
}

#[test]
fn the_doctor_names_what_is_wrong_and_never_says_delete() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    fixture.brokered(&["doctor"]).well();
    let open = impostor(&fixture, "open", "")?;
    set_mode(&open, 0o755)?;
    let blocked = impostor(&fixture, "blocked", "")?;
    fs::create_dir(blocked.join("socket"))?;
    let doctor = fixture.brokered(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{}", doctor.out);
    for part in [
        "0755",
        "chmod 700",
        "a directory is where the socket would be",
    ] {
        assert!(doctor.out.contains(part), "{part}: {}", doctor.out);
    }
    let environment = fixture
        .tool(&["doctor"])
        .env("BROKERED_LAUNCH", "words:1")
        .output()?;
    assert!(Said::of(&environment).out.contains("unset BROKERED_LAUNCH"));
    set_mode(&fixture.runtime_directory(), 0o755)?;
    let shut = fixture.brokered(&["doctor", "--verbose"]);
    let list = fixture.brokered(&["list"]);
    set_mode(&fixture.runtime_directory(), 0o700)?;
    assert_eq!(shut.code, Some(1));
    assert!(shut.out.contains("0755"), "{}", shut.out);
    assert!(list.badly(1).contains("chmod 700"));
    let said = doctor.out + &shut.out;
    for word in ["delete", "remove", "rm "] {
        assert!(!said.contains(word), "{word}: {said}");
    }
    Ok(())
}

#[test]
fn the_log_is_followed_from_one_daemon_to_the_next() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    let log = fixture.instance_directory()?.join("log");
    fs::write(&log, "one\ntwo\nthree\nfour\n")?;
    let said =
        |arguments: &[&str]| fixture.brokered(&[&["log", "test-daemon"], arguments].concat());
    assert_eq!(said(&[]).well(), "one\ntwo\nthree\nfour\n");
    assert_eq!(said(&["-n", "2"]).well(), "three\nfour\n");
    assert_eq!(said(&["-n", "0"]).well(), "");
    assert_eq!(said(&["-n", "99"]).well(), "one\ntwo\nthree\nfour\n");
    let json = fixture
        .brokered(&["--json", "log", "test-daemon", "-n", "2"])
        .well();
    assert_eq!(json, "{\"line\":\"three\"}\n{\"line\":\"four\"}\n");

    let mut following = fixture
        .tool_in_time(&["log", "test-daemon", "-f", "-n", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(following.stdout.take().ok_or("no pipe")?);
    let append = |text: &str| -> TestResult {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log)?;
        Ok(file.write_all(text.as_bytes())?)
    };
    let next = |lines: &mut BufReader<_>| -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        Ok(line)
    };
    assert_eq!(next(&mut lines)?, "four\n");
    append("fi")?;
    append("ve\n")?;
    assert_eq!(next(&mut lines)?, "five\n");
    append("six\n")?;
    fs::rename(&log, log.with_extension("1"))?;
    // Longer than the one before, so that its length tells nothing.
    let seven = format!("seven{}\n", "!".repeat(500));
    append(&seven)?;
    assert_eq!(next(&mut lines)?, "six\n");
    assert_eq!(next(&mut lines)?, seven);
    // Whoever reads goes away: the tool ends at what it can't print, without a word.
    drop(lines);
    append("eight\n")?;
    let output = following.wait_with_output()?;
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    Ok(())
}

#[test]
fn a_reader_that_goes_away_is_no_failure() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["status", "test-daemon"],
        &["doctor", "--verbose"],
        &["man"],
        &["completions", "bash"],
        &["path", "test-daemon"],
        &["unit", "kubernetes", "test-daemon"],
    ] {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let output = fixture.tool(arguments).stdout(writer).output()?;
        let said = Said::of(&output);
        assert_eq!(
            (said.code, said.err.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
    Ok(())
}

/// The tool on a terminal of this size.
fn on_a_terminal(fixture: &Fixture, columns: u32, command: &str) -> Result<String, Box<dyn Error>> {
    let tool = fixture.tool(&[]);
    let program = tool.get_program().to_str().ok_or("a path of text")?;
    let line = format!("stty cols {columns} rows 40; {program} {command}");
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null());
    for (name, value) in tool.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let output = script.output()?;
    Ok(String::from_utf8(output.stdout)?.replace('\r', ""))
}

#[test]
fn colours_are_for_terminals_and_for_who_wants_them() -> TestResult {
    if !has_requirements(&["script", "stty"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    let is_coloured = |text: &str| text.contains('\u{1b}');
    assert!(!is_coloured(&fixture.brokered(&["list"]).well()));
    assert!(is_coloured(
        &fixture.brokered(&["list", "--color", "always"]).well()
    ));
    assert!(is_coloured(&on_a_terminal(&fixture, 80, "list")?));
    assert!(!is_coloured(&on_a_terminal(
        &fixture,
        80,
        "list --color never"
    )?));
    let mut tool = fixture.tool(&["list"]);
    let program = tool.get_program().to_owned();
    tool.env("NO_COLOR", "1");
    assert!(!is_coloured(&Said::of(&tool.output()?).well()));
    let line = format!("NO_COLOR=1 {} list", program.display());
    let script = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("BROKERED_RUNTIME_DIR", fixture.runtime_directory())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null())
        .output()?;
    assert!(!is_coloured(&String::from_utf8(script.stdout)?));
    Ok(())
}

#[test]
fn no_terminal_is_too_narrow() -> TestResult {
    if !has_requirements(&["script", "stty"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    impostor(&fixture, "torn", "FORMAT=1\n")?;
    for columns in [1, 7, 20, 40, 80, 120] {
        for command in [
            "list",
            "status test-daemon",
            "doctor",
            "--help",
            "trace test-daemon --restart",
        ] {
            let said = on_a_terminal(&fixture, columns, &format!("{command} --color never"))?;
            assert!(!said.contains("panicked"), "{columns} {command}: {said}");
        }
    }
    let pid = fixture.brokered_json(&["status", "test-daemon"])["pid"].clone();
    let at_80 = on_a_terminal(&fixture, 80, "list --color never")?;
    let lines: Vec<&str> = at_80.lines().take(3).collect();
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "{at_80}"
    );
    let at_20 = on_a_terminal(&fixture, 20, "list --color never")?;
    assert!(at_20.contains(&format!(" pid {pid}\n")), "{at_20}");
    // Sentences are broken between words, and paths are left whole.
    let status = on_a_terminal(&fixture, 20, "status test-daemon --color never")?;
    assert!(status.contains("phase\n ready\n"), "{status}");
    let nobody = on_a_terminal(&fixture, 20, "status nobody --color never")?;
    assert!(nobody.starts_with("brokered: no daemon\n"), "{nobody}");
    for line in nobody.lines() {
        assert!(line.chars().count() <= 20 || line.contains('/'), "{nobody}");
    }
    Ok(())
}

#[test]
fn which_instance_is_meant_is_asked_and_not_guessed() -> TestResult {
    let fixture = Fixture::new()?;
    let mut directories = Vec::new();
    for name in ["a", "b"] {
        let directory = fixture.path().join(name);
        fs::create_dir(&directory)?;
        fixture
            .brokered(&[
                "start",
                "test-daemon",
                "-C",
                text(&directory),
                "-p",
                TEST_DAEMON,
            ])
            .well();
        directories.push(directory);
    }
    let error = fixture.brokered(&["stop", "test-daemon"]).badly(2);
    for directory in &directories {
        assert!(error.contains(text(directory)), "{error}");
    }
    let both = fixture.brokered_json(&["status", "test-daemon"]);
    assert_eq!(both["daemons"].as_array().map(Vec::len), Some(2));
    fixture
        .brokered(&["stop", "test-daemon", "-C", text(&directories[0])])
        .well();
    // With one left, it is that one.
    let left = fixture.brokered_json(&["status", "test-daemon"]);
    assert_eq!(left["directory"], text(&directories[1]));
    let endpoint = fixture.brokered(&["path", "test-daemon"]).well();
    fixture.brokered(&["stop", endpoint.trim_end()]).well();
    for nonsense in ["", "Subject", "../x", "/nowhere", "a\u{1b}[31m"] {
        let said = fixture.brokered(&["status", nonsense]);
        assert!(
            matches!(said.code, Some(2 | 3)),
            "{nonsense:?}: {:?}",
            said.code
        );
        assert!(
            !said.err.contains("\u{1b}[31ma") && !said.err.contains('\u{1b}'),
            "{}",
            said.err
        );
    }
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can tell a process from a later one with its number"
)]
fn a_hand_written_backend_is_listed_and_stopped() -> TestResult {
    let fixture = Fixture::new()?;
    let backend = fixture.start(fixture.command(BACKEND))?;
    let list = fixture.brokered(&["list"]).well();
    assert!(list.contains(&backend.pid().to_string()), "{list}");
    let stopped = fixture.brokered(&["stop", "backend"]).well();
    assert!(stopped.contains("SIGTERM"), "{stopped}");
    Ok(())
}

#[test]
fn a_foreign_or_babbling_control_endpoint_is_told_of() -> TestResult {
    let fixture = Fixture::new()?;
    for (name, answer) in [
        ("mute", None),
        ("closes", Some(&b""[..])),
        ("babbles", Some(b"hello\n\n")),
        ("half", Some(b"NAME=half\nPID=")),
        ("nuls", Some(b"\0\0\0\0\n\n")),
        ("forks", Some(b"\xff\xfe\n\n")),
    ] {
        let directory = fixture.runtime_directory().join(name);
        let directory = impostor(&fixture, name, record(name, 1, &directory))?;
        let lock = fs::File::open(&directory)?;
        lock.try_lock()?;
        let control = UnixListener::bind(directory.join("control"))?;
        thread::spawn(move || {
            let _lock = lock;
            let mut held = Vec::new();
            for stream in control.incoming().flatten() {
                let mut stream = stream;
                let _ = stream.read(&mut [0; 64]);
                match answer {
                    Some(answer) => _ = stream.write_all(answer),
                    None => held.push(stream),
                }
            }
        });
    }
    let list = fixture.brokered_json(&["list", "--timeout", "100ms"]);
    let daemons = list["daemons"].as_array().ok_or("a list")?;
    assert_eq!(daemons.len(), 6);
    for daemon in daemons {
        assert_eq!(daemon["state"], "silent", "{daemon:#}");
        assert!(daemon["remark"].is_string());
    }
    Ok(())
}

#[test]
fn a_trace_shows_each_step_and_draws_them() -> TestResult {
    let fixture = Fixture::new()?;
    let directory = fixture.project_directory();
    let svg = fixture.path().join("start.svg");
    let of_subject = [
        "test-daemon",
        "-C",
        text(&directory),
        "-p",
        TEST_DAEMON,
        "--send",
        "hello",
    ];
    let said = fixture
        .brokered(&[&["trace", "--svg", text(&svg)], &of_subject[..]].concat())
        .well();
    for step in [
        "exec",
        "adopt, bind",
        "record",
        "control",
        "load Loaded",
        "ready",
        "first reply",
    ] {
        assert!(said.contains(step), "{step}: {said}");
    }
    let drawn = fs::read_to_string(&svg)?;
    assert!(
        drawn.starts_with("<svg") && drawn.contains("load Loaded"),
        "{drawn}"
    );
    let error = fixture
        .brokered(&[&["trace"], &of_subject[..]].concat())
        .badly(1);
    assert!(error.contains("--restart"), "{error}");
    let json = fixture.brokered_json(&["trace", "test-daemon", "--restart", "--send", "x"]);
    let steps = json["steps"].as_array().ok_or("steps")?;
    let total = json["total_seconds"].as_f64().ok_or("a total")?;
    assert!(total > 0.0 && total < 60.0);
    for step in steps {
        let from = step["from_seconds"].as_f64().ok_or("a begin")?;
        let took = step["seconds"].as_f64().ok_or("a duration")?;
        assert!(from + took <= total + 1e-6, "{step}");
    }
    Ok(())
}

#[test]
fn a_trace_of_a_daemon_that_was_asked_to_end_says_so() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let directory = fixture.project_directory();
    let trace = fixture
        .tool_in_time(&[
            "trace",
            "test-daemon",
            "-C",
            text(&directory),
            "-p",
            TEST_DAEMON,
        ])
        .env(LOAD_FIFO, &fifo)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // It is loading, which it does until somebody closes the fifo.
    let gate = fs::OpenOptions::new().write(true).open(&fifo)?;
    signal_process(fixture.pid(), Signal::SIGTERM);
    fixture.wait_for_phase("draining");
    drop(gate);
    let said = Said::of(&trace.wait_with_output()?).badly(1);
    assert!(said.contains("it was asked to stop"), "{said}");
    Ok(())
}

/// Neither is anything started that daemons are switched off for, or that systemd starts.
#[test]
fn a_trace_starts_nothing_that_a_client_would_not() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    fixture.brokered(&["stop", "test-daemon"]).well();
    let directory = fixture.project_directory();
    let arguments = [
        "trace",
        "test-daemon",
        "-C",
        text(&directory),
        "-p",
        TEST_DAEMON,
    ];
    let record = fixture.instance_directory()?.join("record");
    let mut off = fixture.tool(&arguments);
    off.env("BROKERED_DISABLE", "test-daemon");
    let said = stderr(&off.output()?);
    assert!(said.contains("BROKERED_DISABLE"), "{said}");

    let of_systemd = format!(
        "FORMAT=1\nNAME=test-daemon\nCONTRACT=1\nENDPOINT={}\nPID=1\nPHASE=stopped\nOWNER=systemd\n\
         STARTED=1700000000.007000\nDIRECTORY={}\n",
        fixture.instance_directory()?.join("socket").display(),
        directory.display()
    );
    fs::write(&record, of_systemd)?;
    let said = fixture.brokered(&arguments).badly(1);
    assert!(said.contains("systemd"), "{said}");
    assert!(!fixture.instance_directory()?.join("socket").exists());
    Ok(())
}

#[test]
fn units_are_what_their_managers_read() -> TestResult {
    let fixture = Fixture::new()?;
    let spaced = fixture.path().join("with space, 100%");
    fs::create_dir(&spaced)?;
    let units = fixture.path().join("units");
    let of_subject = ["test-daemon", "-C", text(&spaced), "-p", TEST_DAEMON];
    let unit = |manager: &str, more: &[&str]| {
        fixture.brokered(&[&["unit", manager], &of_subject[..], more].concat())
    };
    let written = unit(
        "systemd",
        &["--write", text(&units), "--", "an argument", "$HOME"],
    )
    .well();
    let service = written
        .lines()
        .find(|line| line.ends_with(".service"))
        .ok_or("a service")?;
    assert!(fs::read_to_string(service)?.contains("RestartPreventExitStatus=64 69\n"));
    let plist = unit("launchd", &[]).well();
    assert!(plist.contains("<string>brokered.test-daemon-"), "{plist}");
    let probes = unit("kubernetes", &[]).well();
    assert!(probes.contains("readinessProbe:"), "{probes}");
    assert!(
        probes.contains("[\"brokered\",\"probe\",\"--live\",\"test-daemon\""),
        "{probes}"
    );
    let refused = fixture.brokered(&["unit", "systemd", "test-daemon", "-p", "/a\nb"]);
    assert!(refused.badly(2).contains("control characters"));

    if has_requirements(&["python3"]) {
        let parsed = Command::new("python3")
            .args(["-c", "import plistlib,sys; print(plistlib.loads(sys.argv[1].encode())['Sockets']['Listeners']['SockPathMode'])"])
            .arg(&plist)
            .output()?;
        assert_eq!(
            String::from_utf8(parsed.stdout)?,
            "384\n",
            "{}",
            String::from_utf8_lossy(&parsed.stderr)
        );
    }
    if has_requirements(&["systemd-analyze"]) {
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--user", "--man=no"])
            .args(written.lines())
            .env("XDG_RUNTIME_DIR", fixture.path())
            .output()?;
        let said = Said::of(&verified);
        // It also speaks of units of the machine's own.
        let of_ours = |line: &&str| line.contains("test-daemon");
        let complaints: Vec<&str> = said.err.lines().filter(of_ours).collect();
        assert_eq!((said.code, complaints), (Some(0), vec![]), "{}", said.err);
    }
    Ok(())
}

#[test]
fn every_command_can_print_json() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    for arguments in [
        &["list"][..],
        &["status", "test-daemon"],
        &["status", "nobody"],
        &["path", "test-daemon"],
        &["path", "new"],
        &["probe", "test-daemon"],
        &["probe", "nobody"],
        &["wait", "test-daemon"],
        &["doctor"],
        &["unit", "systemd", "test-daemon"],
        &["completions", "fish"],
        &["man"],
        &["start", "test-daemon"],
        &["restart", "test-daemon"],
        &["trace", "test-daemon", "--restart"],
        &["stop", "test-daemon"],
    ] {
        let document = fixture.brokered_json(arguments);
        assert!(document.is_object(), "{arguments:?}: {document}");
    }
    Ok(())
}

#[test]
fn completions_are_scripts_and_the_page_is_a_page() -> TestResult {
    let fixture = Fixture::new()?;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = fixture.brokered(&["completions", shell]).well();
        assert!(script.contains("doctor"), "{shell}");
        if shell == "bash" {
            let mut bash = Command::new("bash")
                .arg("-n")
                .stdin(Stdio::piped())
                .spawn()?;
            bash.stdin
                .take()
                .ok_or("no pipe")?
                .write_all(script.as_bytes())?;
            assert!(bash.wait()?.success());
        }
    }
    let page = fixture.brokered(&["man"]).well();
    assert!(
        page.contains(".TH brokered 1") && page.contains(".SH \"DOCTOR\""),
        "{page}"
    );
    Ok(())
}

/// Some thousand strange records, directories and arguments: an answer each time, and nothing that a terminal
/// would obey.
#[test]
fn nothing_that_is_found_is_too_strange() -> TestResult {
    let fixture = Fixture::new()?;
    let mut random = Random(0x5eed_u64);
    let whole = record("test-daemon", 1, &fixture.project_directory());
    for number in 0..300 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..random.below(8) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.byte(),
                1 => bytes.insert(at, random.byte()),
                2 => bytes.truncate(at.max(1)),
                _ => drop(bytes.splice(at..at, *b"%1b]0;x%07")),
            }
        }
        let mut name = format!("d{number}");
        if random.below(2) == 0 {
            name.push_str(&"\u{1b}]0;x\u{7}\n\u{202e}漢"[random.below(2)..]);
        }
        impostor(&fixture, &name, bytes)?;
    }
    for arguments in [
        &["list"][..],
        &["list", "--all"],
        &["doctor", "--verbose"],
        &["status", "test-daemon"],
        &["stop", "test-daemon"],
    ] {
        let said = fixture.brokered(arguments);
        let tame = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
        assert!(tame(&said.out) && tame(&said.err), "{arguments:?}");
        // In colour nothing is stripped; the tool's own sequences are all for colours.
        let said = fixture.brokered(&[&["--color", "always"], arguments].concat());
        for obeyed in ["\u{1b}]", "\u{7}", "\0", "\u{202e}"] {
            assert!(
                !said.out.contains(obeyed) && !said.err.contains(obeyed),
                "{arguments:?}"
            );
        }
    }
    let list = fixture.brokered_json(&["list", "--all"]);
    assert_eq!(list["daemons"].as_array().map(Vec::len), Some(300));
    Ok(())
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

#[test]
fn a_launch_leaves_nothing_behind_that_is_no_file_of_a_daemons() -> TestResult {
    let fixture = Fixture::new()?;
    let pid = fixture.start_test_daemon();
    fixture.brokered(&["list"]).well();
    let names = |directory: &Path| -> Result<Vec<String>, Box<dyn Error>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = if entry.file_type()?.is_socket() {
                "="
            } else {
                ""
            };
            names.push(format!("{}{kind}", entry.file_name().display()));
        }
        names.sort();
        Ok(names)
    };
    let running = names(&fixture.instance_directory()?)?;
    assert!(running.contains(&"control=".to_owned()), "{running:?}");
    signal_process(pid, Signal::SIGTERM);
    wait_until("it ends", || fixture.is_lock_free().unwrap_or(false));
    let before = names(&fixture.instance_directory()?)?;
    for command in [
        &["list", "--all"][..],
        &["status", "test-daemon"],
        &["doctor"],
        &["path", "test-daemon"],
    ] {
        fixture.brokered(command);
    }
    assert_eq!(
        names(&fixture.instance_directory()?)?,
        before,
        "looking changes nothing"
    );
    Ok(())
}
