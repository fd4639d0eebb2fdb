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
    BACKEND, Outcome, Place, SINGLE, SUBJECT, Signal, eventually, has, make_fifo, set_mode,
    signal_process, stderr,
};
use daemon_tests::{LOAD_FAILS, LOAD_FROM};
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
fn a_daemon_is_started_inspected_restarted_and_stopped() -> Outcome {
    let place = Place::new()?;
    let none = place.brokered(&["list"]).success();
    assert_eq!(none, "no daemons are running\n");
    let pid = place.start_subject();

    let list = place.brokered(&["list"]).success();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 2, "{list}");
    assert!(lines[0].starts_with("NAME     PHASE"), "{list}");
    let row = format!("subject  ready  {pid}");
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeezed(lines[1]).starts_with(&squeezed(&row)), "{list}");
    assert!(lines[1].ends_with(text(&place.directory())), "{list}");

    let holding = place.say("hold")?;
    eventually("the client is counted", || {
        place.brokered_json(&["status", "subject"])["clients"] == 1
    });
    let status = place.brokered(&["status", "subject"]).success();
    for part in ["phase", "ready", "state", "Loaded: loaded in", "1 now"] {
        assert!(status.contains(part), "{part}: {status}");
    }
    drop(holding);

    place.brokered(&["wait", "subject"]).success();
    assert_eq!(place.brokered(&["probe", "subject"]).success(), "");
    let path = place.brokered(&["path", "subject"]).success();
    assert!(
        UnixStream::connect(path.trim_end()).is_ok(),
        "{path} leads to the daemon"
    );

    let again = place.brokered(&["start", "subject"]).success();
    assert!(again.contains("is already running"), "{again}");
    let restarted = place.brokered(&["restart", "subject"]).success();
    assert!(restarted.contains("restarted"), "{restarted}");
    assert_ne!(place.pid(), pid);
    let ended = place.brokered(&["stop", "subject"]).success();
    assert_eq!(ended, "subject has ended\n");
    assert!(place.is_free()?);
    let again = place.brokered(&["stop", "subject"]).success();
    assert_eq!(again, "subject was not running\n");
    assert_eq!(
        place.brokered(&["list"]).success(),
        "no daemons are running\n"
    );
    let all = place.brokered_json(&["list", "--all"]);
    assert_eq!(only(&all)["state"], "ended");
    Ok(())
}

#[test]
fn a_restart_keeps_program_arguments_and_directory() -> Outcome {
    let place = Place::new()?;
    let directory = place.directory();
    let arguments = ["3", "", "two words", "new\nline", "-x", "ä=%"];
    let mut start = vec![
        "start",
        "subject",
        "-C",
        text(&directory),
        "-p",
        SUBJECT,
        "--",
    ];
    start.extend(arguments);
    place.brokered(&start).success();
    let before = place.brokered_json(&["status", "subject"]);
    assert_eq!(before["arguments"], serde_json::json!(arguments));
    place.brokered(&["restart", "subject"]).success();
    let after = place.brokered_json(&["status", "subject"]);
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
fn restart_does_not_stop_a_daemon_that_it_cannot_start_again() -> Outcome {
    let place = Place::new()?;
    let backend = place.start(place.command(BACKEND))?;
    let error = place.brokered(&["restart", "backend"]).failure(2);
    assert!(error.contains("--program"), "{error}");
    assert!(!place.is_free()?);
    drop(backend);
    Ok(())
}

#[test]
fn a_failed_start_reports_the_reason() -> Outcome {
    let place = Place::new()?;
    let directory = place.directory();
    let start = ["start", "subject", "-C", text(&directory)];
    let error = place.brokered(&start).failure(2);
    assert!(error.contains("--program"), "{error}");
    let with = |program: &str| place.brokered(&[&start[..], &["-p", program]].concat());
    let error = with("/nowhere/to/be/found").failure(1);
    assert!(error.contains("/nowhere/to/be/found"), "{error}");
    let error = with("/bin/false").failure(1);
    assert!(error.contains("exit status: 1"), "{error}");
    let error = with(SINGLE).failure(1);
    assert!(
        error.contains("subject") && error.contains("single"),
        "{error}"
    );
    let failing = place
        .tool(&[&start[..], &["-p", SUBJECT]].concat())
        .env(LOAD_FAILS, "no such shard")
        .output()?;
    let error = ToolOutput::of(&failing).failure(1);
    assert!(error.contains("no such shard"), "{error}");
    let list = place.brokered(&["list"]).success();
    assert!(
        list.contains("failed") && list.contains("no such shard"),
        "{list}"
    );
    let doctor = place.brokered(&["doctor"]).success();
    assert!(
        doctor.contains("subject failed") && doctor.contains("no such shard"),
        "{doctor}"
    );
    Ok(())
}

#[test]
fn wait_and_probe_report_the_phase() -> Outcome {
    let place = Place::new()?;
    assert_eq!(place.brokered(&["probe", "subject"]).failure(3), "");
    place.brokered(&["wait", "subject"]).failure(3);
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = place.command(SUBJECT);
    command.env(LOAD_FROM, &fifo);
    let subject = place.start(command)?;
    place.until("loading");
    assert_eq!(place.brokered(&["probe", "subject"]).failure(1), "");
    assert_eq!(
        place.brokered(&["probe", "--live", "subject"]).success(),
        ""
    );
    let list = place.brokered(&["list"]).success();
    assert!(list.contains("loading"), "{list}");
    let error = place
        .brokered(&["wait", "subject", "--timeout", "50ms"])
        .failure(5);
    assert!(error.contains("loading"), "{error}");

    let waiting = place
        .tool(&["wait", "subject"])
        .stdout(Stdio::piped())
        .spawn()?;
    fs::write(&fifo, "loaded")?;
    let output = waiting.wait_with_output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout)?, "subject is ready\n");
    place.brokered(&["probe", "subject"]).success();

    subject.signal(Signal::SIGSTOP);
    let probed = place.brokered(&["probe", "subject", "--timeout", "50ms"]);
    assert_eq!(probed.failure(4), "");
    let status = place.brokered(&["status", "subject", "--timeout", "50ms"]);
    assert_eq!(status.code, Some(4));
    assert!(status.out.contains("silent"), "{}", status.out);
    subject.signal(Signal::SIGCONT);
    place.brokered(&["probe", "subject"]).success();
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can tell a process from a later one with its number"
)]
fn stop_sends_a_signal_to_a_daemon_that_does_not_answer() -> Outcome {
    let place = Place::new()?;
    let subject = place.subject()?;
    place.until("ready");
    subject.signal(Signal::SIGSTOP);
    let error = place
        .brokered(&["stop", "subject", "--timeout", "3s"])
        .failure(5);
    assert!(!error.is_empty());
    // The signal is pending until the process continues.
    subject.signal(Signal::SIGCONT);
    let output = subject.end()?;
    assert!(output.status.success(), "{output:?}");
    assert!(place.is_free()?);
    Ok(())
}

/// Creates an instance directory with this record.
fn fake_instance(
    place: &Place,
    name: &str,
    record: impl AsRef<[u8]>,
) -> Result<PathBuf, Box<dyn Error>> {
    let directory = place.runtime().join(name);
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
fn stop_does_not_signal_a_process_that_reuses_the_recorded_id() -> Outcome {
    let place = Place::new()?;
    let mut other = Command::new("sleep").arg("600").spawn()?;
    let pid = other.id();
    let directory = place.runtime().join("other");
    let directory = fake_instance(&place, "other", record("other", pid, &directory))?;
    // With the lock free it is a stale record.
    let output = place.brokered(&["stop", "other"]).success();
    assert!(output.contains("was not running"), "{output}");
    let lock = fs::File::open(&directory)?;
    lock.try_lock()?;
    let output = place.brokered(&["stop", "other", "--timeout", "3s"]);
    let list = place.brokered(&["list", "--timeout", "50ms"]);
    let doctor = place.brokered(&["doctor"]);
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
fn concurrent_stops_lose_no_reply() -> Outcome {
    let place = Place::new()?;
    for _ in 0..5 {
        place.start_subject();
        let mut client = place.say("hold")?;
        let mut line = String::new();
        client.read_line(&mut line)?;
        assert_eq!(line, "holding\n");
        let stop = || {
            place
                .tool(&["stop", "subject"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        };
        let stops = [stop()?, stop()?, stop()?];
        place.until("draining");
        client.get_ref().shutdown(std::net::Shutdown::Write)?;
        line.clear();
        client.read_line(&mut line)?;
        assert_eq!(line, "held\n");
        drop(client);
        for stop in stops {
            let output = stop.wait_with_output()?;
            assert!(output.status.success(), "{}", stderr(&output));
        }
        assert!(place.is_free()?);
    }
    Ok(())
}

#[test]
fn a_stale_record_is_reported_and_can_be_started_from() -> Outcome {
    let place = Place::new()?;
    let subject = place.subject()?;
    place.until("ready");
    subject.signal(Signal::SIGKILL);
    drop(subject);
    let list = place.brokered(&["list"]).success();
    assert!(list.contains("ended without a clean exit"), "{list}");
    assert_eq!(only(&place.brokered_json(&["list"]))["pid"], Value::Null);
    place.brokered(&["status", "subject"]).failure(3);
    let doctor = place.brokered(&["doctor"]).success();
    assert!(doctor.contains("stale record"), "{doctor}");
    // It says how to start the daemon again.
    place.brokered(&["start", "subject"]).success();
    place.brokered(&["stop", "subject"]).success();
    Ok(())
}

#[test]
fn invalid_records_are_reported_and_hide_no_other_daemon() -> Outcome {
    let place = Place::new()?;
    place.start_subject();
    let whole = record("torn", 1, &place.runtime().join("torn"));
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
        fake_instance(&place, name, contents)?;
    }
    let fifo = fake_instance(&place, "fifo", "")?.join("record");
    fs::remove_file(&fifo)?;
    make_fifo(&fifo)?;
    let link = fake_instance(&place, "link", "")?.join("record");
    fs::remove_file(&link)?;
    symlink("/etc/passwd", &link)?;
    fs::write(place.runtime().join("stray"), "file")?;

    let list = place.brokered(&["list"]);
    let doctor = place.brokered(&["doctor"]);
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
        running.starts_with("subject"),
        "running daemons come first: {list}"
    );
    for part in ["stray", "later than now", "the next start replaces it"] {
        assert!(doctor.contains(part), "{part}: {doctor}");
    }
    Ok(())
}

#[test]
fn doctor_names_each_problem_and_never_recommends_deletion() -> Outcome {
    let place = Place::new()?;
    place.start_subject();
    place.brokered(&["doctor"]).success();
    let open = fake_instance(&place, "open", "")?;
    set_mode(&open, 0o755)?;
    let blocked = fake_instance(&place, "blocked", "")?;
    fs::create_dir(blocked.join("socket"))?;
    let doctor = place.brokered(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{}", doctor.out);
    for part in [
        "0755",
        "chmod 700",
        "a directory is in the place of the socket",
    ] {
        assert!(doctor.out.contains(part), "{part}: {}", doctor.out);
    }
    let environment = place
        .tool(&["doctor"])
        .env("BROKERED_LAUNCH", "words:1")
        .output()?;
    assert!(
        ToolOutput::of(&environment)
            .out
            .contains("unset BROKERED_LAUNCH")
    );
    set_mode(&place.runtime(), 0o755)?;
    let shut = place.brokered(&["doctor", "--verbose"]);
    let list = place.brokered(&["list"]);
    set_mode(&place.runtime(), 0o700)?;
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
fn log_follows_rotation_from_one_daemon_to_the_next() -> Outcome {
    let place = Place::new()?;
    place.start_subject();
    let log = place.instance()?.join("log");
    fs::write(&log, "one\ntwo\nthree\nfour\n")?;
    let printed = |arguments: &[&str]| place.brokered(&[&["log", "subject"], arguments].concat());
    assert_eq!(printed(&[]).success(), "one\ntwo\nthree\nfour\n");
    assert_eq!(printed(&["-n", "2"]).success(), "three\nfour\n");
    assert_eq!(printed(&["-n", "0"]).success(), "");
    assert_eq!(printed(&["-n", "99"]).success(), "one\ntwo\nthree\nfour\n");
    let json = place
        .brokered(&["--json", "log", "subject", "-n", "2"])
        .success();
    assert_eq!(json, "{\"line\":\"three\"}\n{\"line\":\"four\"}\n");

    let mut following = place
        .tool_with_timeout(&["log", "subject", "-f", "-n", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(following.stdout.take().ok_or("no pipe")?);
    let append = |text: &str| -> Outcome {
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
fn a_closed_pipe_is_not_a_failure() -> Outcome {
    let place = Place::new()?;
    place.start_subject();
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["status", "subject"],
        &["doctor", "--verbose"],
        &["man"],
        &["completions", "bash"],
        &["path", "subject"],
        &["unit", "kubernetes", "subject"],
    ] {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let output = place.tool(arguments).stdout(writer).output()?;
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
fn on_a_terminal(place: &Place, columns: u32, command: &str) -> Result<String, Box<dyn Error>> {
    let tool = place.tool(&[]);
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
fn colours_appear_on_terminals_and_on_request() -> Outcome {
    if !has(&["script", "stty"]) {
        return Ok(());
    }
    let place = Place::new()?;
    place.start_subject();
    let is_coloured = |text: &str| text.contains('\u{1b}');
    assert!(!is_coloured(&place.brokered(&["list"]).success()));
    assert!(is_coloured(
        &place.brokered(&["list", "--color", "always"]).success()
    ));
    assert!(is_coloured(&on_a_terminal(&place, 80, "list")?));
    assert!(!is_coloured(&on_a_terminal(
        &place,
        80,
        "list --color never"
    )?));
    let mut tool = place.tool(&["list"]);
    let program = tool.get_program().to_owned();
    tool.env("NO_COLOR", "1");
    assert!(!is_coloured(&ToolOutput::of(&tool.output()?).success()));
    let line = format!("NO_COLOR=1 {} list", program.display());
    let script = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("BROKERED_RUNTIME_DIR", place.runtime())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null())
        .output()?;
    assert!(!is_coloured(&String::from_utf8(script.stdout)?));
    Ok(())
}

#[test]
fn the_output_fits_each_terminal_width() -> Outcome {
    if !has(&["script", "stty"]) {
        return Ok(());
    }
    let place = Place::new()?;
    place.start_subject();
    fake_instance(&place, "torn", "FORMAT=1\n")?;
    for columns in [1, 7, 20, 40, 80, 120] {
        for command in [
            "list",
            "status subject",
            "doctor",
            "--help",
            "trace subject --restart",
        ] {
            let output = on_a_terminal(&place, columns, &format!("{command} --color never"))?;
            assert!(
                !output.contains("panicked"),
                "{columns} {command}: {output}"
            );
        }
    }
    let pid = place.brokered_json(&["status", "subject"])["pid"].clone();
    let at_80 = on_a_terminal(&place, 80, "list --color never")?;
    let lines: Vec<&str> = at_80.lines().take(3).collect();
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "{at_80}"
    );
    let at_20 = on_a_terminal(&place, 20, "list --color never")?;
    assert!(at_20.contains(&format!(" pid {pid}\n")), "{at_20}");
    // Sentences are wrapped between words, and paths stay whole.
    let status = on_a_terminal(&place, 20, "status subject --color never")?;
    assert!(status.contains("phase\n ready\n"), "{status}");
    let nobody = on_a_terminal(&place, 20, "status nobody --color never")?;
    assert!(nobody.starts_with("brokered: no daemon\n"), "{nobody}");
    for line in nobody.lines() {
        assert!(line.chars().count() <= 20 || line.contains('/'), "{nobody}");
    }
    Ok(())
}

#[test]
fn an_ambiguous_name_is_an_error() -> Outcome {
    let place = Place::new()?;
    let mut directories = Vec::new();
    for name in ["a", "b"] {
        let directory = place.path().join(name);
        fs::create_dir(&directory)?;
        place
            .brokered(&["start", "subject", "-C", text(&directory), "-p", SUBJECT])
            .success();
        directories.push(directory);
    }
    let error = place.brokered(&["stop", "subject"]).failure(2);
    for directory in &directories {
        assert!(error.contains(text(directory)), "{error}");
    }
    let both = place.brokered_json(&["status", "subject"]);
    assert_eq!(both["daemons"].as_array().map(Vec::len), Some(2));
    place
        .brokered(&["stop", "subject", "-C", text(&directories[0])])
        .success();
    // With one running instance, the name means that one.
    let left = place.brokered_json(&["status", "subject"]);
    assert_eq!(left["directory"], text(&directories[1]));
    let endpoint = place.brokered(&["path", "subject"]).success();
    place.brokered(&["stop", endpoint.trim_end()]).success();
    for nonsense in ["", "Subject", "../x", "/nowhere", "a\u{1b}[31m"] {
        let output = place.brokered(&["status", nonsense]);
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
fn a_hand_written_backend_is_listed_and_stopped() -> Outcome {
    let place = Place::new()?;
    let backend = place.start(place.command(BACKEND))?;
    let list = place.brokered(&["list"]).success();
    assert!(list.contains(&backend.pid().to_string()), "{list}");
    let stopped = place.brokered(&["stop", "backend"]).success();
    assert!(stopped.contains("SIGTERM"), "{stopped}");
    Ok(())
}

#[test]
fn a_control_endpoint_with_invalid_replies_is_reported() -> Outcome {
    let place = Place::new()?;
    for (name, answer) in [
        ("mute", None),
        ("closes", Some(&b""[..])),
        ("babbles", Some(b"hello\n\n")),
        ("half", Some(b"NAME=half\nPID=")),
        ("nuls", Some(b"\0\0\0\0\n\n")),
        ("forks", Some(b"\xff\xfe\n\n")),
    ] {
        let directory = place.runtime().join(name);
        let directory = fake_instance(&place, name, record(name, 1, &directory))?;
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
    let list = place.brokered_json(&["list", "--timeout", "100ms"]);
    let daemons = list["daemons"].as_array().ok_or("a list")?;
    assert_eq!(daemons.len(), 6);
    for daemon in daemons {
        assert_eq!(daemon["state"], "silent", "{daemon:#}");
        assert!(daemon["remark"].is_string());
    }
    Ok(())
}

#[test]
fn trace_shows_and_draws_each_step() -> Outcome {
    let place = Place::new()?;
    let directory = place.directory();
    let svg = place.path().join("start.svg");
    let of_subject = [
        "subject",
        "-C",
        text(&directory),
        "-p",
        SUBJECT,
        "--send",
        "hello",
    ];
    let output = place
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
    let error = place
        .brokered(&[&["trace"], &of_subject[..]].concat())
        .failure(1);
    assert!(error.contains("--restart"), "{error}");
    let json = place.brokered_json(&["trace", "subject", "--restart", "--send", "x"]);
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
fn trace_reports_a_daemon_that_was_asked_to_end() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let directory = place.directory();
    let trace = place
        .tool_with_timeout(&["trace", "subject", "-C", text(&directory), "-p", SUBJECT])
        .env(LOAD_FROM, &fifo)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // The daemon loads until the fifo is closed.
    let gate = fs::OpenOptions::new().write(true).open(&fifo)?;
    signal_process(place.pid(), Signal::SIGTERM);
    place.until("draining");
    drop(gate);
    let output = ToolOutput::of(&trace.wait_with_output()?).failure(1);
    assert!(output.contains("it was asked to end"), "{output}");
    Ok(())
}

/// Nothing is started if `BROKERED_DISABLE` is set, or if systemd starts the daemon.
#[test]
fn trace_starts_only_what_a_client_would_start() -> Outcome {
    let place = Place::new()?;
    place.start_subject();
    place.brokered(&["stop", "subject"]).success();
    let directory = place.directory();
    let arguments = ["trace", "subject", "-C", text(&directory), "-p", SUBJECT];
    let record = place.instance()?.join("record");
    let mut off = place.tool(&arguments);
    off.env("BROKERED_DISABLE", "subject");
    let printed = stderr(&off.output()?);
    assert!(printed.contains("BROKERED_DISABLE"), "{printed}");

    let of_systemd = format!(
        "FORMAT=1\nNAME=subject\nCONTRACT=1\nENDPOINT={}\nPID=1\nPHASE=stopped\nOWNER=systemd\n\
         STARTED=1700000000.007000\nDIRECTORY={}\n",
        place.instance()?.join("socket").display(),
        directory.display()
    );
    fs::write(&record, of_systemd)?;
    let printed = place.brokered(&arguments).failure(1);
    assert!(printed.contains("systemd"), "{printed}");
    assert!(!place.instance()?.join("socket").exists());
    Ok(())
}

#[test]
fn service_managers_accept_the_units() -> Outcome {
    let place = Place::new()?;
    let spaced = place.path().join("with space, 100%");
    fs::create_dir(&spaced)?;
    let units = place.path().join("units");
    let of_subject = ["subject", "-C", text(&spaced), "-p", SUBJECT];
    let unit = |manager: &str, more: &[&str]| {
        place.brokered(&[&["unit", manager], &of_subject[..], more].concat())
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
    assert!(plist.contains("<string>brokered.subject-"), "{plist}");
    let probes = unit("kubernetes", &[]).success();
    assert!(probes.contains("readinessProbe:"), "{probes}");
    assert!(
        probes.contains("[\"brokered\",\"probe\",\"--live\",\"subject\""),
        "{probes}"
    );
    let refused = place.brokered(&["unit", "systemd", "subject", "-p", "/a\nb"]);
    assert!(refused.failure(2).contains("control characters"));

    if has(&["python3"]) {
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
    if has(&["systemd-analyze"]) {
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--user", "--man=no"])
            .args(written.lines())
            .env("XDG_RUNTIME_DIR", place.path())
            .output()?;
        let printed = ToolOutput::of(&verified);
        // It also reports on other units of the machine.
        let of_ours = |line: &&str| line.contains("subject");
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
fn every_command_can_print_json() -> Outcome {
    let place = Place::new()?;
    place.start_subject();
    for arguments in [
        &["list"][..],
        &["status", "subject"],
        &["status", "nobody"],
        &["path", "subject"],
        &["path", "new"],
        &["probe", "subject"],
        &["probe", "nobody"],
        &["wait", "subject"],
        &["doctor"],
        &["unit", "systemd", "subject"],
        &["completions", "fish"],
        &["man"],
        &["start", "subject"],
        &["restart", "subject"],
        &["trace", "subject", "--restart"],
        &["stop", "subject"],
    ] {
        let document = place.brokered_json(arguments);
        assert!(document.is_object(), "{arguments:?}: {document}");
    }
    Ok(())
}

#[test]
fn completions_and_the_manual_page_are_valid() -> Outcome {
    let place = Place::new()?;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.brokered(&["completions", shell]).success();
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
    let page = place.brokered(&["man"]).success();
    assert!(
        page.contains(".TH brokered 1") && page.contains(".SH \"DOCTOR\""),
        "{page}"
    );
    Ok(())
}

/// Damaged records and directory names: each command answers, and prints nothing that a terminal would interpret.
#[test]
fn no_file_or_argument_can_send_control_characters_to_the_terminal() -> Outcome {
    let place = Place::new()?;
    let mut random = Random(0x5eed_u64);
    let whole = record("subject", 1, &place.directory());
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
        fake_instance(&place, &name, bytes)?;
    }
    for arguments in [
        &["list"][..],
        &["list", "--all"],
        &["doctor", "--verbose"],
        &["status", "subject"],
        &["stop", "subject"],
    ] {
        let output = place.brokered(arguments);
        let is_plain = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
        assert!(
            is_plain(&output.out) && is_plain(&output.err),
            "{arguments:?}"
        );
        // With colours, the only control sequences are those of the tool.
        let output = place.brokered(&[&["--color", "always"], arguments].concat());
        for interpreted in ["\u{1b}]", "\u{7}", "\0", "\u{202e}"] {
            assert!(
                !output.out.contains(interpreted) && !output.err.contains(interpreted),
                "{arguments:?}"
            );
        }
    }
    let list = place.brokered_json(&["list", "--all"]);
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
fn inspection_changes_no_file() -> Outcome {
    let place = Place::new()?;
    let pid = place.start_subject();
    place.brokered(&["list"]).success();
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
    let running = names(&place.instance()?)?;
    assert!(running.contains(&"control=".to_owned()), "{running:?}");
    signal_process(pid, Signal::SIGTERM);
    eventually("it ends", || place.is_free().unwrap_or(false));
    let before = names(&place.instance()?)?;
    for command in [
        &["list", "--all"][..],
        &["status", "subject"],
        &["doctor"],
        &["path", "subject"],
    ] {
        place.brokered(command);
    }
    assert_eq!(
        names(&place.instance()?)?,
        before,
        "inspection changes no file"
    );
    Ok(())
}
