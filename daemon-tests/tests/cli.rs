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
    BACKEND, Outcome, Place, SINGLE, SUBJECT, Signal, eventually, has, make_fifo, set_mode,
    signal_process, stderr,
};
use daemon_tests::{LOAD_FAILS, LOAD_FROM};
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
fn a_daemon_goes_through_all_of_its_life() -> Outcome {
    let place = Place::new()?;
    let none = place.brokered(&["list"]).well();
    assert_eq!(none, "no daemons run\n");
    let pid = place.start_subject();

    let list = place.brokered(&["list"]).well();
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
    let status = place.brokered(&["status", "subject"]).well();
    for part in ["phase", "ready", "state", "Loaded: loaded in", "1 now"] {
        assert!(status.contains(part), "{part}: {status}");
    }
    drop(holding);

    place.brokered(&["wait", "subject"]).well();
    assert_eq!(place.brokered(&["probe", "subject"]).well(), "");
    let path = place.brokered(&["path", "subject"]).well();
    assert!(
        UnixStream::connect(path.trim_end()).is_ok(),
        "{path} leads to the daemon"
    );

    let again = place.brokered(&["start", "subject"]).well();
    assert!(again.contains("runs already"), "{again}");
    let restarted = place.brokered(&["restart", "subject"]).well();
    assert!(restarted.contains("restarted"), "{restarted}");
    assert_ne!(place.pid(), pid);
    let ended = place.brokered(&["stop", "subject"]).well();
    assert_eq!(ended, "subject has ended\n");
    assert!(place.is_free()?);
    let again = place.brokered(&["stop", "subject"]).well();
    assert_eq!(again, "subject was not running\n");
    assert_eq!(place.brokered(&["list"]).well(), "no daemons run\n");
    let all = place.brokered_json(&["list", "--all"]);
    assert_eq!(only(&all)["state"], "ended");
    Ok(())
}

#[test]
fn what_ran_is_what_is_restarted() -> Outcome {
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
    place.brokered(&start).well();
    let before = place.brokered_json(&["status", "subject"]);
    assert_eq!(before["arguments"], serde_json::json!(arguments));
    place.brokered(&["restart", "subject"]).well();
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
fn nothing_is_stopped_that_could_not_be_started_again() -> Outcome {
    let place = Place::new()?;
    let backend = place.start(place.command(BACKEND))?;
    let error = place.brokered(&["restart", "backend"]).badly(2);
    assert!(error.contains("--program"), "{error}");
    assert!(!place.is_free()?);
    drop(backend);
    Ok(())
}

#[test]
fn a_start_that_fails_says_why() -> Outcome {
    let place = Place::new()?;
    let directory = place.directory();
    let start = ["start", "subject", "-C", text(&directory)];
    let error = place.brokered(&start).badly(2);
    assert!(error.contains("--program"), "{error}");
    let with = |program: &str| place.brokered(&[&start[..], &["-p", program]].concat());
    let error = with("/nowhere/to/be/found").badly(1);
    assert!(error.contains("/nowhere/to/be/found"), "{error}");
    let error = with("/bin/false").badly(1);
    assert!(error.contains("exit status: 1"), "{error}");
    let error = with(SINGLE).badly(1);
    assert!(
        error.contains("subject") && error.contains("single"),
        "{error}"
    );
    let failing = place
        .tool(&[&start[..], &["-p", SUBJECT]].concat())
        .env(LOAD_FAILS, "no such shard")
        .output()?;
    let error = Said::of(&failing).badly(1);
    assert!(error.contains("no such shard"), "{error}");
    let list = place.brokered(&["list"]).well();
    assert!(
        list.contains("failed") && list.contains("no such shard"),
        "{list}"
    );
    let doctor = place.brokered(&["doctor"]).well();
    assert!(
        doctor.contains("has failed") && doctor.contains("no such shard"),
        "{doctor}"
    );
    Ok(())
}

#[test]
fn waiting_and_probing_tell_how_far_a_daemon_is() -> Outcome {
    let place = Place::new()?;
    assert_eq!(place.brokered(&["probe", "subject"]).badly(3), "");
    place.brokered(&["wait", "subject"]).badly(3);
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = place.command(SUBJECT);
    command.env(LOAD_FROM, &fifo);
    let subject = place.start(command)?;
    place.until("loading");
    assert_eq!(place.brokered(&["probe", "subject"]).badly(1), "");
    assert_eq!(place.brokered(&["probe", "--live", "subject"]).well(), "");
    let list = place.brokered(&["list"]).well();
    assert!(list.contains("loading"), "{list}");
    let error = place
        .brokered(&["wait", "subject", "--timeout", "50ms"])
        .badly(5);
    assert!(error.contains("loading"), "{error}");

    let waiting = place
        .tool(&["wait", "subject"])
        .stdout(Stdio::piped())
        .spawn()?;
    fs::write(&fifo, "loaded")?;
    let output = waiting.wait_with_output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout)?, "subject is ready\n");
    place.brokered(&["probe", "subject"]).well();

    subject.signal(Signal::SIGSTOP);
    let probed = place.brokered(&["probe", "subject", "--timeout", "50ms"]);
    assert_eq!(probed.badly(4), "");
    let status = place.brokered(&["status", "subject", "--timeout", "50ms"]);
    assert_eq!(status.code, Some(4));
    assert!(status.out.contains("silent"), "{}", status.out);
    subject.signal(Signal::SIGCONT);
    place.brokered(&["probe", "subject"]).well();
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can tell a process from a later one with its number"
)]
fn a_daemon_that_does_not_answer_is_sent_a_signal_and_nobody_else_is() -> Outcome {
    let place = Place::new()?;
    let subject = place.subject()?;
    place.until("ready");
    subject.signal(Signal::SIGSTOP);
    let error = place
        .brokered(&["stop", "subject", "--timeout", "3s"])
        .badly(5);
    assert!(!error.is_empty());
    // It was sent, and waits for the process to go on.
    subject.signal(Signal::SIGCONT);
    let output = subject.end()?;
    assert!(output.status.success(), "{output:?}");
    assert!(place.is_free()?);
    Ok(())
}

/// A directory of an instance with this record, whose lock a process of the test's holds, if it is to be held.
fn impostor(
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
fn a_number_that_is_somebody_elses_by_now_is_not_killed() -> Outcome {
    let place = Place::new()?;
    let mut bystander = Command::new("sleep").arg("600").spawn()?;
    let pid = bystander.id();
    let directory = place.runtime().join("other");
    let directory = impostor(&place, "other", record("other", pid, &directory))?;
    // With the lock free it is history.
    let said = place.brokered(&["stop", "other"]).well();
    assert!(said.contains("was not running"), "{said}");
    let lock = fs::File::open(&directory)?;
    lock.try_lock()?;
    let said = place.brokered(&["stop", "other", "--timeout", "3s"]);
    let list = place.brokered(&["list", "--timeout", "50ms"]);
    let doctor = place.brokered(&["doctor"]);
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
fn two_stops_at_once_lose_nobodys_answer() -> Outcome {
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
fn a_stale_record_is_history() -> Outcome {
    let place = Place::new()?;
    let subject = place.subject()?;
    place.until("ready");
    subject.signal(Signal::SIGKILL);
    drop(subject);
    let list = place.brokered(&["list"]).well();
    assert!(list.contains("ended without a word"), "{list}");
    assert_eq!(only(&place.brokered_json(&["list"]))["pid"], Value::Null);
    place.brokered(&["status", "subject"]).badly(3);
    let doctor = place.brokered(&["doctor"]).well();
    assert!(doctor.contains("history"), "{doctor}");
    // And it tells how to start it again.
    place.brokered(&["start", "subject"]).well();
    place.brokered(&["stop", "subject"]).well();
    Ok(())
}

#[test]
fn records_that_make_no_sense_are_said_to_and_hide_nobody() -> Outcome {
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
        impostor(&place, name, contents)?;
    }
    let fifo = impostor(&place, "fifo", "")?.join("record");
    fs::remove_file(&fifo)?;
    make_fifo(&fifo)?;
    let link = impostor(&place, "link", "")?.join("record");
    fs::remove_file(&link)?;
    symlink("/etc/passwd", &link)?;
    fs::write(place.runtime().join("stray"), "file")?;

    let list = place.brokered(&["list"]);
    let doctor = place.brokered(&["doctor"]);
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
        running.starts_with("subject"),
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
fn the_doctor_names_what_is_wrong_and_never_says_delete() -> Outcome {
    let place = Place::new()?;
    place.start_subject();
    place.brokered(&["doctor"]).well();
    let open = impostor(&place, "open", "")?;
    set_mode(&open, 0o755)?;
    let blocked = impostor(&place, "blocked", "")?;
    fs::create_dir(blocked.join("socket"))?;
    let doctor = place.brokered(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{}", doctor.out);
    for part in [
        "0755",
        "chmod 700",
        "a directory is where the socket would be",
    ] {
        assert!(doctor.out.contains(part), "{part}: {}", doctor.out);
    }
    let environment = place
        .tool(&["doctor"])
        .env("BROKERED_LAUNCH", "words:1")
        .output()?;
    assert!(Said::of(&environment).out.contains("unset BROKERED_LAUNCH"));
    set_mode(&place.runtime(), 0o755)?;
    let shut = place.brokered(&["doctor", "--verbose"]);
    let list = place.brokered(&["list"]);
    set_mode(&place.runtime(), 0o700)?;
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
fn the_log_is_followed_from_one_daemon_to_the_next() -> Outcome {
    let place = Place::new()?;
    place.start_subject();
    let log = place.instance()?.join("log");
    fs::write(&log, "one\ntwo\nthree\nfour\n")?;
    let said = |arguments: &[&str]| place.brokered(&[&["log", "subject"], arguments].concat());
    assert_eq!(said(&[]).well(), "one\ntwo\nthree\nfour\n");
    assert_eq!(said(&["-n", "2"]).well(), "three\nfour\n");
    assert_eq!(said(&["-n", "0"]).well(), "");
    assert_eq!(said(&["-n", "99"]).well(), "one\ntwo\nthree\nfour\n");
    let json = place
        .brokered(&["--json", "log", "subject", "-n", "2"])
        .well();
    assert_eq!(json, "{\"line\":\"three\"}\n{\"line\":\"four\"}\n");

    let mut following = place
        .tool_in_time(&["log", "subject", "-f", "-n", "1"])
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
fn a_reader_that_goes_away_is_no_failure() -> Outcome {
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
fn colours_are_for_terminals_and_for_who_wants_them() -> Outcome {
    if !has(&["script", "stty"]) {
        return Ok(());
    }
    let place = Place::new()?;
    place.start_subject();
    let is_coloured = |text: &str| text.contains('\u{1b}');
    assert!(!is_coloured(&place.brokered(&["list"]).well()));
    assert!(is_coloured(
        &place.brokered(&["list", "--color", "always"]).well()
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
    assert!(!is_coloured(&Said::of(&tool.output()?).well()));
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
fn no_terminal_is_too_narrow() -> Outcome {
    if !has(&["script", "stty"]) {
        return Ok(());
    }
    let place = Place::new()?;
    place.start_subject();
    impostor(&place, "torn", "FORMAT=1\n")?;
    for columns in [1, 7, 20, 40, 80, 120] {
        for command in [
            "list",
            "status subject",
            "doctor",
            "--help",
            "trace subject --restart",
        ] {
            let said = on_a_terminal(&place, columns, &format!("{command} --color never"))?;
            assert!(!said.contains("panicked"), "{columns} {command}: {said}");
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
    // Sentences are broken between words, and paths are left whole.
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
fn which_instance_is_meant_is_asked_and_not_guessed() -> Outcome {
    let place = Place::new()?;
    let mut directories = Vec::new();
    for name in ["a", "b"] {
        let directory = place.path().join(name);
        fs::create_dir(&directory)?;
        place
            .brokered(&["start", "subject", "-C", text(&directory), "-p", SUBJECT])
            .well();
        directories.push(directory);
    }
    let error = place.brokered(&["stop", "subject"]).badly(2);
    for directory in &directories {
        assert!(error.contains(text(directory)), "{error}");
    }
    let both = place.brokered_json(&["status", "subject"]);
    assert_eq!(both["daemons"].as_array().map(Vec::len), Some(2));
    place
        .brokered(&["stop", "subject", "-C", text(&directories[0])])
        .well();
    // With one left, it is that one.
    let left = place.brokered_json(&["status", "subject"]);
    assert_eq!(left["directory"], text(&directories[1]));
    let endpoint = place.brokered(&["path", "subject"]).well();
    place.brokered(&["stop", endpoint.trim_end()]).well();
    for nonsense in ["", "Subject", "../x", "/nowhere", "a\u{1b}[31m"] {
        let said = place.brokered(&["status", nonsense]);
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
fn a_hand_written_backend_is_listed_and_stopped() -> Outcome {
    let place = Place::new()?;
    let backend = place.start(place.command(BACKEND))?;
    let list = place.brokered(&["list"]).well();
    assert!(list.contains(&backend.pid().to_string()), "{list}");
    let stopped = place.brokered(&["stop", "backend"]).well();
    assert!(stopped.contains("SIGTERM"), "{stopped}");
    Ok(())
}

#[test]
fn a_foreign_or_babbling_control_endpoint_is_told_of() -> Outcome {
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
        let directory = impostor(&place, name, record(name, 1, &directory))?;
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
fn a_trace_shows_each_step_and_draws_them() -> Outcome {
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
    let said = place
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
    let error = place
        .brokered(&[&["trace"], &of_subject[..]].concat())
        .badly(1);
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
fn a_trace_of_a_daemon_that_was_asked_to_end_says_so() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let directory = place.directory();
    let trace = place
        .tool_in_time(&["trace", "subject", "-C", text(&directory), "-p", SUBJECT])
        .env(LOAD_FROM, &fifo)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // It is loading, which it does until somebody closes the fifo.
    let gate = fs::OpenOptions::new().write(true).open(&fifo)?;
    signal_process(place.pid(), Signal::SIGTERM);
    place.until("draining");
    drop(gate);
    let said = Said::of(&trace.wait_with_output()?).badly(1);
    assert!(said.contains("it was asked to stop"), "{said}");
    Ok(())
}

/// Neither is anything started that daemons are switched off for, or that systemd starts.
#[test]
fn a_trace_starts_nothing_that_a_client_would_not() -> Outcome {
    let place = Place::new()?;
    place.start_subject();
    place.brokered(&["stop", "subject"]).well();
    let directory = place.directory();
    let arguments = ["trace", "subject", "-C", text(&directory), "-p", SUBJECT];
    let record = place.instance()?.join("record");
    let mut off = place.tool(&arguments);
    off.env("BROKERED_DISABLE", "subject");
    let said = stderr(&off.output()?);
    assert!(said.contains("BROKERED_DISABLE"), "{said}");

    let of_systemd = format!(
        "FORMAT=1\nNAME=subject\nCONTRACT=1\nENDPOINT={}\nPID=1\nPHASE=stopped\nOWNER=systemd\n\
         STARTED=1700000000.007000\nDIRECTORY={}\n",
        place.instance()?.join("socket").display(),
        directory.display()
    );
    fs::write(&record, of_systemd)?;
    let said = place.brokered(&arguments).badly(1);
    assert!(said.contains("systemd"), "{said}");
    assert!(!place.instance()?.join("socket").exists());
    Ok(())
}

#[test]
fn units_are_what_their_managers_read() -> Outcome {
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
    .well();
    let service = written
        .lines()
        .find(|line| line.ends_with(".service"))
        .ok_or("a service")?;
    assert!(fs::read_to_string(service)?.contains("RestartPreventExitStatus=64 69\n"));
    let plist = unit("launchd", &[]).well();
    assert!(plist.contains("<string>brokered.subject-"), "{plist}");
    let probes = unit("kubernetes", &[]).well();
    assert!(probes.contains("readinessProbe:"), "{probes}");
    assert!(
        probes.contains("[\"brokered\",\"probe\",\"--live\",\"subject\""),
        "{probes}"
    );
    let refused = place.brokered(&["unit", "systemd", "subject", "-p", "/a\nb"]);
    assert!(refused.badly(2).contains("control characters"));

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
        let said = Said::of(&verified);
        // It also speaks of units of the machine's own.
        let of_ours = |line: &&str| line.contains("subject");
        let complaints: Vec<&str> = said.err.lines().filter(of_ours).collect();
        assert_eq!((said.code, complaints), (Some(0), vec![]), "{}", said.err);
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
fn completions_are_scripts_and_the_page_is_a_page() -> Outcome {
    let place = Place::new()?;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.brokered(&["completions", shell]).well();
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
    let page = place.brokered(&["man"]).well();
    assert!(
        page.contains(".TH brokered 1") && page.contains(".SH \"DOCTOR\""),
        "{page}"
    );
    Ok(())
}

/// Some thousand strange records, directories and arguments: an answer each time, and nothing that a terminal
/// would obey.
#[test]
fn nothing_that_is_found_is_too_strange() -> Outcome {
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
        impostor(&place, &name, bytes)?;
    }
    for arguments in [
        &["list"][..],
        &["list", "--all"],
        &["doctor", "--verbose"],
        &["status", "subject"],
        &["stop", "subject"],
    ] {
        let said = place.brokered(arguments);
        let tame = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
        assert!(tame(&said.out) && tame(&said.err), "{arguments:?}");
        // In colour nothing is stripped; the tool's own sequences are all for colours.
        let said = place.brokered(&[&["--color", "always"], arguments].concat());
        for obeyed in ["\u{1b}]", "\u{7}", "\0", "\u{202e}"] {
            assert!(
                !said.out.contains(obeyed) && !said.err.contains(obeyed),
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
fn a_launch_leaves_nothing_behind_that_is_no_file_of_a_daemons() -> Outcome {
    let place = Place::new()?;
    let pid = place.start_subject();
    place.brokered(&["list"]).well();
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
        "looking changes nothing"
    );
    Ok(())
}
