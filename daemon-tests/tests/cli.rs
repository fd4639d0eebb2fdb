//! The operator's command line, with daemons that run, fail or hang, and with files that no daemon wrote.

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
use tool::ToolOutput;

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// The one daemon in the list.
fn only(list: &Value) -> &Value {
    let daemons = list["daemons"].as_array().expect("a list");
    assert_eq!(daemons.len(), 1, "{list:#}");
    &daemons[0]
}

#[test]
fn a_daemon_is_started_inspected_restarted_and_stopped() -> TestResult {
    let fixture = Fixture::new()?;
    let none = fixture.brokered(&["list"]).success();
    assert_eq!(none, "no daemons are running\n");
    let pid = fixture.start_test_daemon();

    let list = fixture.brokered(&["list"]).success();
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
    let status = fixture.brokered(&["status", "test-daemon"]).success();
    for part in ["phase", "ready", "state", "Loaded: loaded in", "1 now"] {
        assert!(status.contains(part), "{part}: {status}");
    }
    drop(holding);

    fixture.brokered(&["wait", "test-daemon"]).success();
    assert_eq!(fixture.brokered(&["probe", "test-daemon"]).success(), "");
    let path = fixture.brokered(&["path", "test-daemon"]).success();
    assert!(
        UnixStream::connect(path.trim_end()).is_ok(),
        "{path} leads to the daemon"
    );

    let again = fixture.brokered(&["start", "test-daemon"]).success();
    assert!(again.contains("is already running"), "{again}");
    let restarted = fixture.brokered(&["restart", "test-daemon"]).success();
    assert!(restarted.contains("restarted"), "{restarted}");
    assert_ne!(fixture.pid(), pid);
    let ended = fixture.brokered(&["stop", "test-daemon"]).success();
    assert_eq!(ended, "test-daemon has ended\n");
    assert!(fixture.is_lock_free()?);
    let again = fixture.brokered(&["stop", "test-daemon"]).success();
    assert_eq!(again, "test-daemon was not running\n");
    assert_eq!(
        fixture.brokered(&["list"]).success(),
        "no daemons are running\n"
    );
    let all = fixture.brokered_json(&["list", "--all"]);
    assert_eq!(only(&all)["state"], "ended");
    Ok(())
}

#[test]
fn status_says_that_the_project_directory_is_gone() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command
        .env("BROKERED_TEST_CHECK_MS", "50")
        // The daemon does not end during this test.
        .env("BROKERED_TEST_CONFIRM_MS", "600000");
    let _daemon = fixture.start(command)?;
    let notice = || fixture.brokered_json(&["status", "test-daemon"])["directory_notice"].take();
    wait_until("there is none", || notice() == Value::Null);
    let project = fixture.project_directory();
    fs::remove_dir(&project)?;
    let expected = format!("the directory {} was removed", text(&project));
    wait_until("the daemon notices", || notice() == expected.as_str());
    let status = fixture.brokered(&["status", "test-daemon"]).success();
    assert!(status.contains(&expected), "{status}");
    Ok(())
}

#[test]
fn a_restart_keeps_program_arguments_and_directory() -> TestResult {
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
    fixture.brokered(&start).success();
    let before = fixture.brokered_json(&["status", "test-daemon"]);
    assert_eq!(before["arguments"], serde_json::json!(arguments));
    fixture.brokered(&["restart", "test-daemon"]).success();
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
fn restart_does_not_stop_a_daemon_that_it_cannot_start_again() -> TestResult {
    let fixture = Fixture::new()?;
    let backend = fixture.start(fixture.command(BACKEND))?;
    let error = fixture.brokered(&["restart", "backend"]).failure(2);
    assert!(error.contains("--program"), "{error}");
    assert!(!fixture.is_lock_free()?);
    drop(backend);
    Ok(())
}

#[test]
fn a_failed_start_reports_the_reason() -> TestResult {
    let fixture = Fixture::new()?;
    let directory = fixture.project_directory();
    let start = ["start", "test-daemon", "-C", text(&directory)];
    let error = fixture.brokered(&start).failure(2);
    assert!(error.contains("--program"), "{error}");
    let with = |program: &str| fixture.brokered(&[&start[..], &["-p", program]].concat());
    let error = with("/nowhere/to/be/found").failure(1);
    assert!(error.contains("/nowhere/to/be/found"), "{error}");
    let error = with("/bin/false").failure(1);
    assert!(error.contains("exit status: 1"), "{error}");
    let error = with(SINGLE_INSTANCE_DAEMON).failure(1);
    assert!(
        error.contains("test-daemon") && error.contains("single"),
        "{error}"
    );
    let failing = fixture
        .tool(&[&start[..], &["-p", TEST_DAEMON]].concat())
        .env(LOAD_ERROR, "no such shard")
        .output()?;
    let error = ToolOutput::of(&failing).failure(1);
    assert!(error.contains("no such shard"), "{error}");
    let list = fixture.brokered(&["list"]).success();
    assert!(
        list.contains("failed") && list.contains("no such shard"),
        "{list}"
    );
    let doctor = fixture.brokered(&["doctor"]).success();
    assert!(
        doctor.contains("test-daemon failed") && doctor.contains("no such shard"),
        "{doctor}"
    );
    Ok(())
}

#[test]
fn wait_and_probe_report_the_phase() -> TestResult {
    let fixture = Fixture::new()?;
    assert_eq!(fixture.brokered(&["probe", "test-daemon"]).failure(3), "");
    fixture.brokered(&["wait", "test-daemon"]).failure(3);
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = fixture.command(TEST_DAEMON);
    command.env(LOAD_FIFO, &fifo);
    let subject = fixture.start(command)?;
    fixture.wait_for_phase("loading");
    assert_eq!(fixture.brokered(&["probe", "test-daemon"]).failure(1), "");
    assert_eq!(
        fixture
            .brokered(&["probe", "--live", "test-daemon"])
            .success(),
        ""
    );
    let list = fixture.brokered(&["list"]).success();
    assert!(list.contains("loading"), "{list}");
    let error = fixture
        .brokered(&["wait", "test-daemon", "--timeout", "50ms"])
        .failure(5);
    assert!(error.contains("loading"), "{error}");

    let waiting = fixture
        .tool(&["wait", "test-daemon"])
        .stdout(Stdio::piped())
        .spawn()?;
    fs::write(&fifo, "loaded")?;
    let output = waiting.wait_with_output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout)?, "test-daemon is ready\n");
    fixture.brokered(&["probe", "test-daemon"]).success();

    subject.signal(Signal::SIGSTOP);
    let probed = fixture.brokered(&["probe", "test-daemon", "--timeout", "50ms"]);
    assert_eq!(probed.failure(4), "");
    let status = fixture.brokered(&["status", "test-daemon", "--timeout", "50ms"]);
    assert_eq!(status.code, Some(4));
    assert!(status.out.contains("silent"), "{}", status.out);
    subject.signal(Signal::SIGCONT);
    fixture.brokered(&["probe", "test-daemon"]).success();
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can tell a process from a later one with its number"
)]
fn stop_sends_a_signal_to_a_daemon_that_does_not_answer() -> TestResult {
    let fixture = Fixture::new()?;
    let subject = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    subject.signal(Signal::SIGSTOP);
    let error = fixture
        .brokered(&["stop", "test-daemon", "--timeout", "3s"])
        .failure(5);
    assert!(!error.is_empty());
    // The signal is pending until the process continues.
    subject.signal(Signal::SIGCONT);
    let output = subject.wait_with_output()?;
    assert!(output.status.success(), "{output:?}");
    assert!(fixture.is_lock_free()?);
    Ok(())
}

/// Creates an instance directory with this record.
fn fake_instance(
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
fn stop_does_not_signal_a_process_that_reuses_the_recorded_id() -> TestResult {
    let fixture = Fixture::new()?;
    let mut other = Command::new("sleep").arg("600").spawn()?;
    let pid = other.id();
    let directory = fixture.runtime_directory().join("other");
    let directory = fake_instance(&fixture, "other", record("other", pid, &directory))?;
    // With the lock free it is a stale record.
    let output = fixture.brokered(&["stop", "other"]).success();
    assert!(output.contains("was not running"), "{output}");
    let lock = fs::File::open(&directory)?;
    lock.try_lock()?;
    let output = fixture.brokered(&["stop", "other", "--timeout", "3s"]);
    let list = fixture.brokered(&["list", "--timeout", "50ms"]);
    let doctor = fixture.brokered(&["doctor"]);
    drop(lock);
    let alive = other.try_wait()?.is_none();
    other.kill()?;
    other.wait()?;
    assert!(alive, "the other process was killed");
    let error = output.failure(4);
    assert!(error.contains(&pid.to_string()), "{error}");
    let list = list.success();
    assert!(list.contains("silent"), "{list}");
    let doctor = doctor.out;
    assert!(
        doctor.contains("problem") && doctor.contains("fuser"),
        "{doctor}"
    );
    Ok(())
}

#[test]
fn concurrent_stops_lose_no_reply() -> TestResult {
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
fn a_stale_record_is_reported_and_can_be_started_from() -> TestResult {
    let fixture = Fixture::new()?;
    let subject = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    subject.signal(Signal::SIGKILL);
    drop(subject);
    let list = fixture.brokered(&["list"]).success();
    assert!(list.contains("ended without a clean exit"), "{list}");
    assert_eq!(only(&fixture.brokered_json(&["list"]))["pid"], Value::Null);
    fixture.brokered(&["status", "test-daemon"]).failure(3);
    let doctor = fixture.brokered(&["doctor"]).success();
    assert!(doctor.contains("stale record"), "{doctor}");
    // It says how to start the daemon again.
    fixture.brokered(&["start", "test-daemon"]).success();
    fixture.brokered(&["stop", "test-daemon"]).success();
    Ok(())
}

#[test]
fn invalid_records_are_reported_and_hide_no_other_daemon() -> TestResult {
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
        fake_instance(&fixture, name, contents)?;
    }
    let fifo = fake_instance(&fixture, "fifo", "")?.join("record");
    fs::remove_file(&fifo)?;
    make_fifo(&fifo)?;
    let link = fake_instance(&fixture, "link", "")?.join("record");
    fs::remove_file(&link)?;
    symlink("/etc/passwd", &link)?;
    fs::write(fixture.runtime_directory().join("stray"), "file")?;

    let list = fixture.brokered(&["list"]);
    let doctor = fixture.brokered(&["doctor"]);
    // The clean-up of the test would wait for the other end of it.
    fs::remove_file(&fifo)?;
    let (list, doctor) = (list.success(), doctor.success());
    for (name, why) in [
        ("torn", "is missing: it is incomplete"),
        ("empty", "it is empty"),
        ("binary", "not valid UTF-8"),
        ("future", "format 7"),
        ("huge", "longer than 64 KiB"),
        ("fifo", "not a regular file"),
    ] {
        let is_remark = |line: &str| line.starts_with(&format!("{name}: ")) && line.contains(why);
        assert!(list.lines().any(is_remark), "{name}: {list}");
    }
    assert!(!list.contains("root:"), "{list}");
    let running = list.lines().nth(1).expect("a row");
    assert!(
        running.starts_with("test-daemon"),
        "running daemons come first: {list}"
    );
    for part in ["stray", "later than now", "the next start replaces it"] {
        assert!(doctor.contains(part), "{part}: {doctor}");
    }
    Ok(())
}

#[test]
fn doctor_names_each_problem_and_never_recommends_deletion() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    fixture.brokered(&["doctor"]).success();
    let open = fake_instance(&fixture, "open", "")?;
    set_mode(&open, 0o755)?;
    let blocked = fake_instance(&fixture, "blocked", "")?;
    fs::create_dir(blocked.join("socket"))?;
    let doctor = fixture.brokered(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{}", doctor.out);
    for part in [
        "0755",
        "chmod 700",
        "a directory is in the place of the socket",
    ] {
        assert!(doctor.out.contains(part), "{part}: {}", doctor.out);
    }
    let environment = fixture
        .tool(&["doctor"])
        .env("BROKERED_LAUNCH", "words:1")
        .output()?;
    assert!(
        ToolOutput::of(&environment)
            .out
            .contains("unset BROKERED_LAUNCH")
    );
    set_mode(&fixture.runtime_directory(), 0o755)?;
    let shut = fixture.brokered(&["doctor", "--verbose"]);
    let list = fixture.brokered(&["list"]);
    set_mode(&fixture.runtime_directory(), 0o700)?;
    assert_eq!(shut.code, Some(1));
    assert!(shut.out.contains("0755"), "{}", shut.out);
    assert!(list.failure(1).contains("chmod 700"));
    let printed = doctor.out + &shut.out;
    for word in ["delete", "remove", "rm "] {
        assert!(!printed.contains(word), "{word}: {printed}");
    }
    Ok(())
}

#[test]
fn log_follows_rotation_from_one_daemon_to_the_next() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    let log = fixture.instance_directory()?.join("log");
    fs::write(&log, "one\ntwo\nthree\nfour\n")?;
    let printed =
        |arguments: &[&str]| fixture.brokered(&[&["log", "test-daemon"], arguments].concat());
    assert_eq!(printed(&[]).success(), "one\ntwo\nthree\nfour\n");
    assert_eq!(printed(&["-n", "2"]).success(), "three\nfour\n");
    assert_eq!(printed(&["-n", "0"]).success(), "");
    assert_eq!(printed(&["-n", "99"]).success(), "one\ntwo\nthree\nfour\n");
    let json = fixture
        .brokered(&["--json", "log", "test-daemon", "-n", "2"])
        .success();
    assert_eq!(json, "{\"line\":\"three\"}\n{\"line\":\"four\"}\n");

    let mut following = fixture
        .tool_with_timeout(&["log", "test-daemon", "-f", "-n", "1"])
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
    // It is longer than the file before, so that the length does not give the rotation away.
    let seven = format!("seven{}\n", "!".repeat(500));
    append(&seven)?;
    assert_eq!(next(&mut lines)?, "six\n");
    assert_eq!(next(&mut lines)?, seven);
    // When the reader closes the pipe, the tool ends without an error.
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
fn a_closed_pipe_is_not_a_failure() -> TestResult {
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
        let printed = ToolOutput::of(&output);
        assert_eq!(
            (printed.code, printed.err.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
    Ok(())
}

/// Runs the tool on a terminal of this width.
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
fn colours_appear_on_terminals_and_on_request() -> TestResult {
    if !has_requirements(&["script", "stty"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    let is_coloured = |text: &str| text.contains('\u{1b}');
    assert!(!is_coloured(&fixture.brokered(&["list"]).success()));
    assert!(is_coloured(
        &fixture.brokered(&["list", "--color", "always"]).success()
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
    assert!(!is_coloured(&ToolOutput::of(&tool.output()?).success()));
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
fn the_output_fits_each_terminal_width() -> TestResult {
    if !has_requirements(&["script", "stty"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    fake_instance(&fixture, "torn", "FORMAT=1\n")?;
    for columns in [1, 7, 20, 40, 80, 120] {
        for command in [
            "list",
            "status test-daemon",
            "doctor",
            "--help",
            "trace test-daemon --restart",
        ] {
            let output = on_a_terminal(&fixture, columns, &format!("{command} --color never"))?;
            assert!(
                !output.contains("panicked"),
                "{columns} {command}: {output}"
            );
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
    // Sentences are wrapped between words, and paths stay whole.
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
fn an_ambiguous_name_is_an_error() -> TestResult {
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
            .success();
        directories.push(directory);
    }
    let error = fixture.brokered(&["stop", "test-daemon"]).failure(2);
    for directory in &directories {
        assert!(error.contains(text(directory)), "{error}");
    }
    let both = fixture.brokered_json(&["status", "test-daemon"]);
    assert_eq!(both["daemons"].as_array().map(Vec::len), Some(2));
    fixture
        .brokered(&["stop", "test-daemon", "-C", text(&directories[0])])
        .success();
    // With one running instance, the name means that one.
    let left = fixture.brokered_json(&["status", "test-daemon"]);
    assert_eq!(left["directory"], text(&directories[1]));
    let endpoint = fixture.brokered(&["path", "test-daemon"]).success();
    fixture.brokered(&["stop", endpoint.trim_end()]).success();
    for nonsense in ["", "Subject", "../x", "/nowhere", "a\u{1b}[31m"] {
        let output = fixture.brokered(&["status", nonsense]);
        assert!(
            matches!(output.code, Some(2 | 3)),
            "{nonsense:?}: {:?}",
            output.code
        );
        assert!(
            !output.err.contains("\u{1b}[31ma") && !output.err.contains('\u{1b}'),
            "{}",
            output.err
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
    let list = fixture.brokered(&["list"]).success();
    assert!(list.contains(&backend.pid().to_string()), "{list}");
    let stopped = fixture.brokered(&["stop", "backend"]).success();
    assert!(stopped.contains("SIGTERM"), "{stopped}");
    Ok(())
}

#[test]
fn a_control_endpoint_with_invalid_replies_is_reported() -> TestResult {
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
        let directory = fake_instance(&fixture, name, record(name, 1, &directory))?;
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
fn trace_shows_and_draws_each_step() -> TestResult {
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
    let output = fixture
        .brokered(&[&["trace", "--svg", text(&svg)], &of_subject[..]].concat())
        .success();
    for step in [
        "exec",
        "adopt, bind",
        "record",
        "control",
        "load Loaded",
        "ready",
        "first reply",
    ] {
        assert!(output.contains(step), "{step}: {output}");
    }
    let drawn = fs::read_to_string(&svg)?;
    assert!(
        drawn.starts_with("<svg") && drawn.contains("load Loaded"),
        "{drawn}"
    );
    let error = fixture
        .brokered(&[&["trace"], &of_subject[..]].concat())
        .failure(1);
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
fn trace_reports_a_daemon_that_was_asked_to_end() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let directory = fixture.project_directory();
    let trace = fixture
        .tool_with_timeout(&[
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
    // The daemon loads until the fifo is closed.
    let gate = fs::OpenOptions::new().write(true).open(&fifo)?;
    signal_process(fixture.pid(), Signal::SIGTERM);
    fixture.wait_for_phase("draining");
    drop(gate);
    let output = ToolOutput::of(&trace.wait_with_output()?).failure(1);
    assert!(output.contains("it was asked to stop"), "{output}");
    Ok(())
}

/// Nothing is started if `BROKERED_DISABLE` is set, or if systemd starts the daemon.
#[test]
fn trace_starts_only_what_a_client_would_start() -> TestResult {
    let fixture = Fixture::new()?;
    fixture.start_test_daemon();
    fixture.brokered(&["stop", "test-daemon"]).success();
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
    let printed = stderr(&off.output()?);
    assert!(printed.contains("BROKERED_DISABLE"), "{printed}");

    let of_systemd = format!(
        "FORMAT=1\nNAME=test-daemon\nCONTRACT=1\nENDPOINT={}\nPID=1\nPHASE=stopped\nOWNER=systemd\n\
         STARTED=1700000000.007000\nDIRECTORY={}\n",
        fixture.instance_directory()?.join("socket").display(),
        directory.display()
    );
    fs::write(&record, of_systemd)?;
    let printed = fixture.brokered(&arguments).failure(1);
    assert!(printed.contains("systemd"), "{printed}");
    assert!(!fixture.instance_directory()?.join("socket").exists());
    Ok(())
}

#[test]
fn service_managers_accept_the_units() -> TestResult {
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
    .success();
    let service = written
        .lines()
        .find(|line| line.ends_with(".service"))
        .ok_or("a service")?;
    assert!(fs::read_to_string(service)?.contains("RestartPreventExitStatus=64 69\n"));
    let plist = unit("launchd", &[]).success();
    assert!(plist.contains("<string>brokered.test-daemon-"), "{plist}");
    let probes = unit("kubernetes", &[]).success();
    assert!(probes.contains("readinessProbe:"), "{probes}");
    assert!(
        probes.contains("[\"brokered\",\"probe\",\"--live\",\"test-daemon\""),
        "{probes}"
    );
    let refused = fixture.brokered(&["unit", "systemd", "test-daemon", "-p", "/a\nb"]);
    assert!(refused.failure(2).contains("control characters"));

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
        let printed = ToolOutput::of(&verified);
        // It also reports on other units of the machine.
        let of_ours = |line: &&str| line.contains("test-daemon");
        let complaints: Vec<&str> = printed.err.lines().filter(of_ours).collect();
        assert_eq!(
            (printed.code, complaints),
            (Some(0), vec![]),
            "{}",
            printed.err
        );
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
fn completions_and_the_manual_page_are_valid() -> TestResult {
    let fixture = Fixture::new()?;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = fixture.brokered(&["completions", shell]).success();
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
    let page = fixture.brokered(&["man"]).success();
    assert!(
        page.contains(".TH brokered 1") && page.contains(".SH \"DOCTOR\""),
        "{page}"
    );
    Ok(())
}

/// Damaged records and directory names: each command answers, and prints nothing that a terminal would interpret.
#[test]
fn no_file_or_argument_can_send_control_characters_to_the_terminal() -> TestResult {
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
        fake_instance(&fixture, &name, bytes)?;
    }
    for arguments in [
        &["list"][..],
        &["list", "--all"],
        &["doctor", "--verbose"],
        &["status", "test-daemon"],
        &["stop", "test-daemon"],
    ] {
        let output = fixture.brokered(arguments);
        let is_plain = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
        assert!(
            is_plain(&output.out) && is_plain(&output.err),
            "{arguments:?}"
        );
        // With colours, the only control sequences are those of the tool.
        let output = fixture.brokered(&[&["--color", "always"], arguments].concat());
        for interpreted in ["\u{1b}]", "\u{7}", "\0", "\u{202e}"] {
            assert!(
                !output.out.contains(interpreted) && !output.err.contains(interpreted),
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
fn inspection_changes_no_file() -> TestResult {
    let fixture = Fixture::new()?;
    let pid = fixture.start_test_daemon();
    fixture.brokered(&["list"]).success();
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
        "inspection changes no file"
    );
    Ok(())
}
