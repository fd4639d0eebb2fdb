//! The control endpoint: it answers whatever the workers do and whoever else talks to it.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    BACKEND, Outcome, PATIENCE, Place, ROOT, Running, SUBJECT, Signal, as_nobody, connections,
    eventually, has, is_pending, line, make_fifo, signal_process, stderr, stdout,
};

const OPERATE: &str = env!("CARGO_BIN_EXE_operate");
const SLOW: &str = env!("CARGO_BIN_EXE_slow");

trait Control {
    fn control(&self) -> Result<PathBuf, Box<dyn Error>>;
    fn talk(&self) -> Result<UnixStream, Box<dyn Error>>;
    fn request(&self, line: &[u8]) -> Result<String, Box<dyn Error>>;
    fn status(&self, key: &str) -> Result<String, Box<dyn Error>>;
    fn operate(&self, what: &str, milliseconds: u64) -> Command;
    fn operate_single(&self, daemon: &str, what: &str) -> Command;
}

impl Control for Place {
    fn control(&self) -> Result<PathBuf, Box<dyn Error>> {
        Ok(self.instance()?.join("control"))
    }

    fn talk(&self) -> Result<UnixStream, Box<dyn Error>> {
        let control = self.control()?;
        let mut talk = None;
        eventually("the control endpoint is there", || {
            talk = UnixStream::connect(&control).ok();
            talk.is_some()
        });
        let talk = talk.ok_or("no connection")?;
        talk.set_read_timeout(Some(PATIENCE))?;
        Ok(talk)
    }

    fn request(&self, line: &[u8]) -> Result<String, Box<dyn Error>> {
        let mut stream = self.talk()?;
        // It may answer, and go, before it has heard everything.
        let _ = stream.write_all(line);
        Ok(until_the_end(&mut stream))
    }

    fn status(&self, key: &str) -> Result<String, Box<dyn Error>> {
        let status = self.request(b"status\n")?;
        let value = status
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.to_owned());
        value.ok_or_else(|| format!("no {key} in {status}").into())
    }

    fn operate(&self, what: &str, milliseconds: u64) -> Command {
        let mut command = self.command(OPERATE);
        command
            .args([what, &milliseconds.to_string()])
            .arg(self.directory());
        command
    }

    fn operate_single(&self, daemon: &str, what: &str) -> Command {
        let mut command = self.command(OPERATE);
        command
            .args([what, "15000"])
            .env("OPERATE", daemon)
            .env_remove("BROKERED_INSTANCE");
        command
    }
}

/// What comes until the end, or until the connection is reset.
fn until_the_end(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn slow(place: &Place) -> Result<(Running, PathBuf), Box<dyn Error>> {
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = place.command(SLOW);
    command
        .env(daemon_tests::LOAD_FROM, &fifo)
        .env_remove("BROKERED_INSTANCE");
    Ok((place.start(command)?, fifo))
}

#[test]
fn status_answers_while_every_worker_is_busy() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(SUBJECT);
    command.arg("2");
    let daemon = place.start(command)?;
    let mut held = [place.say("stuck")?, place.say("stuck")?];
    for held in &mut held {
        assert_eq!(line(held)?, "stuck");
    }
    let status = place.request(b"status\n")?;
    assert!(status.ends_with("\n\n"), "an empty line ends it: {status}");
    assert_eq!(place.status("PID")?, daemon.pid().to_string());
    assert_eq!(place.status("PHASE")?, "ready");
    assert_eq!(place.status("OPEN")?, "2");
    assert_eq!(place.status("LOAD_1")?, "Loaded");
    let asked = place.operate("status", 5000).output()?;
    assert!(asked.status.success(), "{}", stderr(&asked));
    assert!(
        stdout(&asked).contains("phase: Ready"),
        "{}",
        stdout(&asked)
    );
    Ok(())
}

#[test]
fn what_is_served_and_what_goes_wrong_is_counted() -> Outcome {
    let place = Place::new()?;
    let _daemon = place.subject()?;
    for trouble in ["panic", "error", "pid"] {
        until_the_end(place.say(trouble)?.get_mut());
    }
    // The first is the connection that showed that the daemon can be connected to, which may be counted late.
    eventually("they are counted", || {
        place.status("SERVED").is_ok_and(|served| served == "4")
    });
    assert_eq!(place.status("PANICS")?, "1");
    assert_eq!(place.status("ERRORS")?, "1");
    assert!(place.status("LAST_ERROR")?.contains("told this handler"));
    Ok(())
}

#[test]
fn nonsense_gets_an_answer_and_ends_nothing() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    for nonsense in [
        &b"\n"[..],
        b"foo\n",
        b"status status\n",
        b"\0\0\0\n",
        b"\xff\xfe\n",
        b"STATUS\n",
    ] {
        let answer = place.request(nonsense)?;
        assert!(answer.starts_with("ERROR=unknown request"), "{answer}");
        assert!(answer.ends_with("\n\n"), "{answer}");
        assert_eq!(answer.lines().count(), 2, "one line of text: {answer}");
    }
    let long = place.request(&vec![b'x'; 5000])?;
    assert!(long.starts_with("ERROR=a request has at most"), "{long}");
    let mut half = place.talk()?;
    half.write_all(b"stat")?;
    half.shutdown(Shutdown::Write)?;
    assert!(until_the_end(&mut half).starts_with("ERROR=the request has no line end"));
    assert_eq!(place.status("PID")?, daemon.pid().to_string());
    Ok(())
}

#[test]
fn a_silent_peer_and_half_a_line_are_given_a_second() -> Outcome {
    let place = Place::new()?;
    let _daemon = place.subject()?;
    let mut silent = place.talk()?;
    let mut half = place.talk()?;
    half.write_all(b"stat")?;
    let began = Instant::now();
    for stream in [&mut silent, &mut half] {
        assert!(until_the_end(stream).starts_with("ERROR=no request came"));
    }
    assert!(began.elapsed() > Duration::from_millis(500));
    assert!(began.elapsed() < Duration::from_secs(10));
    Ok(())
}

/// Whoever sends without an end is cut off after 4 KiB, and the daemon has not grown.
#[test]
fn a_flood_neither_blocks_the_endpoint_nor_makes_it_grow() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    place.status("PID")?;
    let before = resident(daemon.pid())?;
    let control = place.control()?;
    let flooders: Vec<_> = (0..4)
        .map(|_| {
            let control = control.clone();
            thread::spawn(move || {
                let junk = vec![b'x'; 1 << 16];
                let end = Instant::now() + Duration::from_secs(2);
                let mut silent = Vec::new();
                while Instant::now() < end {
                    if let Ok(mut stream) = UnixStream::connect(&control) {
                        while stream.write_all(&junk).is_ok() {}
                    }
                    // And some who only take room.
                    silent.extend(UnixStream::connect(&control));
                    silent.truncate(100);
                }
            })
        })
        .collect();
    let mut answers = 0;
    while flooders.iter().any(|flooder| !flooder.is_finished()) {
        // Whoever is slow to ask among so many is told to ask again.
        let Ok(answer) = place.request(b"status\n") else {
            continue;
        };
        if answer.starts_with("ERROR=too many requests") {
            continue;
        }
        assert!(
            answer.contains(&format!("\nPID={}\n", daemon.pid())),
            "{answer:?}"
        );
        answers += 1;
    }
    assert!(answers > 10, "{answers}");
    for flooder in flooders {
        let _ = flooder.join();
    }
    let grown = resident(daemon.pid())?.saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB more");
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid()))?.count();
    assert!(open < 100, "{open} descriptors");
    Ok(())
}

fn resident(pid: u32) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no VmRSS")?.parse()?)
}

#[test]
fn another_user_gets_no_answer() -> Outcome {
    if !has(&["setpriv", "socat", ROOT]) {
        return Ok(());
    }
    let place = Place::new()?;
    let mut command = place.command(SUBJECT);
    for directory in [place.path().to_owned(), place.runtime(), place.directory()] {
        let changed = Command::new("chown")
            .arg("65534")
            .arg(&directory)
            .status()?;
        assert!(changed.success());
    }
    command = as_nobody(&command);
    let _daemon = place.start(command)?;
    // Root is another user, too.
    let answer = place.request(b"status\n")?;
    assert!(
        answer.starts_with("ERROR=this daemon answers only its own user"),
        "{answer}"
    );
    let asked = place.operate("status", 2000).output()?;
    assert!(!asked.status.success());
    assert!(stderr(&asked).contains("user 65534"), "{}", stderr(&asked));
    Ok(())
}

#[test]
fn whoever_waits_hears_of_progress_and_of_readiness() -> Outcome {
    let place = Place::new()?;
    let (_daemon, fifo) = slow(&place)?;
    place.until("loading");
    let mut wait = BufReader::new(place.talk()?);
    wait.get_mut().write_all(b"wait ready\n")?;
    assert_eq!(line(&mut wait)?, "PHASE=loading");
    let mut load = OpenOptions::new().write(true).open(&fifo)?;
    writeln!(load, "loading 1 of 2 shards")?;
    assert_eq!(line(&mut wait)?, "STATUS=loading 1 of 2 shards");
    assert_eq!(place.status("STATUS")?, "loading 1 of 2 shards");
    assert_eq!(place.status("LOAD_1")?, "Lines");
    assert_eq!(place.status("LOAD_1_IN")?, "background");
    assert!(place.status("LOAD_1_US").is_err(), "it still loads");
    // Clients are served meanwhile.
    let mut peek = place.say("peek")?;
    assert_eq!(line(&mut peek)?, "None");
    let mut get = place.say("get")?;
    drop(load);
    assert_eq!(line(&mut wait)?, "PHASE=ready");
    assert_eq!(line(&mut get)?, "1");
    assert!(place.status("LOAD_1_US").is_ok());
    assert!(place.request(b"wait ready\n")?.starts_with("PHASE=ready"));
    Ok(())
}

#[test]
fn a_second_client_waits_for_a_daemon_that_loads() -> Outcome {
    let place = Place::new()?;
    let (_daemon, fifo) = slow(&place)?;
    let waits = |what| {
        place
            .operate_single("slow", what)
            .env("OPERATE_PROGRAM", SLOW)
            .stdout(Stdio::piped())
            .spawn()
    };
    let mut clients = [waits("wait")?, waits("start")?];
    let mut load = OpenOptions::new().write(true).open(&fifo)?;
    writeln!(load, "one")?;
    let control = place.control()?;
    eventually("both of them ask", || connections(&control) >= 2);
    for client in &mut clients {
        assert!(client.try_wait()?.is_none(), "it waits");
    }
    drop(load);
    let said: Vec<String> = clients
        .into_iter()
        .map(|client| Ok(stdout(&client.wait_with_output()?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    assert!(said[0].ends_with("ready\n"), "{said:?}");
    assert_eq!(said[1], "connected\n");
    Ok(())
}

#[test]
fn a_background_load_that_fails_ends_the_daemon_and_is_told_to_all() -> Outcome {
    for (trouble, why) in [
        ("fail", "loading Lines failed: No such file"),
        ("panic", "loading Lines panicked: the fifo said so"),
    ] {
        let place = Place::new()?;
        let (daemon, fifo) = slow(&place)?;
        let wait = place
            .operate_single("slow", "wait")
            .stderr(Stdio::piped())
            .spawn()?;
        place.until("loading");
        let control = place.control()?;
        eventually("it waits", || connections(&control) >= 1);
        // Somebody who is being served has a second, and no longer. (So has the one who looked whether the daemon
        // can be connected to.)
        let mut get = place.say("get")?;
        eventually("both are served", || {
            place.status("OPEN").is_ok_and(|open| open == "2")
        });
        writeln!(OpenOptions::new().write(true).open(&fifo)?, "{trouble}")?;
        let began = Instant::now();
        let ended = daemon.end()?;
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(ended.status.code(), Some(70), "{}", stderr(&ended));
        assert!(stderr(&ended).contains(why), "{}", stderr(&ended));
        assert_eq!(place.recorded("PHASE")?, "failed");
        assert!(place.recorded("FAILURE")?.contains(why));
        assert_eq!(until_the_end(get.get_mut()), "");
        let waited = wait.wait_with_output()?;
        assert!(!waited.status.success());
        assert!(stderr(&waited).contains(why), "{}", stderr(&waited));
    }
    Ok(())
}

#[test]
fn a_panic_in_main_is_told_to_whoever_waits() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = place.command(SUBJECT);
    command
        .env(daemon_tests::LOAD_FROM, &fifo)
        .env(daemon_tests::MAIN_ENDS, "panic");
    let daemon = place.start(command)?;
    let mut wait = place.talk()?;
    wait.write_all(b"wait ready\n")?;
    drop(fs::File::create(&fifo)?);
    let heard = until_the_end(&mut wait);
    assert!(
        heard.contains("FAILED=main panicked: main was told to"),
        "{heard}"
    );
    assert!(heard.contains("PHASE=failed"), "{heard}");
    daemon.end()?;
    assert!(place.recorded("FAILURE")?.contains("main was told to"));
    Ok(())
}

#[test]
fn stop_ends_it_and_says_so_when_it_has_gone() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    // Twice at once, and a client in the middle of its request.
    let mut held = place.say("hold")?;
    assert_eq!(line(&mut held)?, "holding");
    let stops: Vec<_> = (0..2)
        .map(|_| place.operate("stop", 15000).stdout(Stdio::piped()).spawn())
        .collect::<Result<_, _>>()?;
    for stop in stops {
        let output = stop.wait_with_output()?;
        assert_eq!(stdout(&output), "Ended\n", "{}", stderr(&output));
        assert!(place.is_free()?, "the lock is free when `stop` says so");
    }
    assert_eq!(line(&mut held)?, "held", "it was served to its end");
    let ended = daemon.end()?;
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(!place.control()?.exists(), "the control endpoint is gone");
    let again = place.operate("stop", 15000).output()?;
    assert_eq!(stdout(&again), "WasNotRunning\n");
    let status = place.operate("status", 15000).output()?;
    assert!(
        stderr(&status).contains("not running"),
        "{}",
        stderr(&status)
    );
    Ok(())
}

#[test]
fn a_stop_that_cannot_wait_for_the_end_does_not_take_it_for_granted() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    let mut held = place.say("stuck")?;
    assert_eq!(line(&mut held)?, "stuck");
    // As many as may wait for the end.
    let mut others = Vec::new();
    for _ in 0..256 {
        let mut other = place.talk()?;
        other.write_all(b"stop\n")?;
        let mut other = BufReader::new(other);
        assert_eq!(line(&mut other)?, "PHASE=draining");
        others.push(other);
    }
    let asked = place.operate("stop", 5000).output()?;
    let said = stderr(&asked);
    assert!(
        said.contains("too many requests"),
        "{said}{}",
        stdout(&asked)
    );
    assert!(
        place.daemons().contains(&daemon.pid()),
        "it is not over yet"
    );
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can tell a process from a later one with its number"
)]
fn a_daemon_that_does_not_answer_is_named_and_told_to_end() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    place.status("PID")?;
    daemon.signal(Signal::SIGSTOP);
    let asked = place.operate("status", 300).output()?;
    let said = stderr(&asked);
    assert!(
        said.contains(&format!("process {}", daemon.pid())),
        "{said}"
    );
    let stop = place
        .operate("stop", 15000)
        .stdout(Stdio::piped())
        .spawn()?;
    // It does not even hear a signal, and then it does.
    eventually("it was sent one", || {
        is_pending(daemon.pid(), Signal::SIGTERM)
    });
    daemon.signal(Signal::SIGCONT);
    let stopped = stop.wait_with_output()?;
    assert_eq!(stdout(&stopped), "Signalled\n", "{}", stderr(&stopped));
    assert_eq!(daemon.end()?.status.code(), Some(0));
    Ok(())
}

/// The lock is held by a process that does not answer, and the record names somebody else.
#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can tell a process from a later one with its number"
)]
fn nobody_else_is_signalled() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGTERM);
    daemon.end()?;
    let instance = place.instance()?;
    let lock = fs::File::open(&instance)?;
    lock.lock()?;
    let bystander = Running(Command::new("sleep").arg("60").spawn()?);
    let text = |pid: u32, since: u64| {
        format!(
            "FORMAT=1\nNAME=subject\nCONTRACT=1\nENDPOINT=/x\nPID={pid}\nPHASE=ready\nOWNER=hand\n\
             STARTED=1700000000.000000\nSTARTED_AFTER_BOOT_US={since}\n"
        )
    };
    let cases = [
        // Younger than the record.
        (text(bystander.pid(), 1), "began after"),
        // Old enough, and without the directory.
        (text(bystander.pid(), u64::MAX / 2), "does not hold"),
        (text(0, u64::MAX / 2), "cannot be reached"),
        (text(u32::MAX, u64::MAX / 2), "cannot be reached"),
        (
            text(bystander.pid(), 1).replace("STARTED_AFTER_BOOT_US=1\n", ""),
            "does not say when",
        ),
    ];
    for (record, why) in cases {
        fs::write(instance.join("record"), record)?;
        let stop = place.operate("stop", 300).output()?;
        assert!(!stop.status.success());
        assert!(stderr(&stop).contains(why), "{why}: {}", stderr(&stop));
        assert!(
            fs::read_to_string(format!("/proc/{}/stat", bystander.pid()))?.contains("(sleep) S"),
            "it lives"
        );
    }
    // No record that makes sense.
    for junk in [&b""[..], b"\0\0\0", b"\xff\xff", &vec![b'A'; 1 << 20]] {
        fs::write(instance.join("record"), junk)?;
        let stop = place.operate("stop", 300).output()?;
        assert!(
            stderr(&stop).contains("has not recorded itself"),
            "{}",
            stderr(&stop)
        );
    }
    Ok(())
}

/// Somebody else's answers are read with care.
#[test]
fn a_reply_that_is_nonsense_or_never_ends_is_an_error() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGTERM);
    daemon.end()?;
    let listener = UnixListener::bind(place.control()?)?;
    let replies = thread::spawn(move || -> std::io::Result<()> {
        for reply in [&b"\n"[..], b"PID=x\n\n", b"\xff\0\n\n"] {
            listener.accept()?.0.write_all(reply)?;
        }
        let mut endless = listener.accept()?.0;
        let junk = vec![b'x'; 1 << 16];
        while endless.write_all(&junk).is_ok() {}
        Ok(())
    });
    for _ in 0..3 {
        let asked = place.operate("status", 2000).output()?;
        assert!(
            stderr(&asked).contains("not a status"),
            "{}",
            stderr(&asked)
        );
    }
    let asked = place.operate("status", 5000).output()?;
    assert!(
        stderr(&asked).contains("a line of more than"),
        "{}",
        stderr(&asked)
    );
    let _ = replies.join();
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux can tell a process from a later one with its number"
)]
fn a_hand_written_backend_says_that_it_has_none() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(BACKEND);
    command.env_remove("BROKERED_INSTANCE");
    let daemon = place.start(command)?;
    let asked = place.operate_single("backend", "status").output()?;
    assert!(
        stderr(&asked).contains("hand-written backend"),
        "{}",
        stderr(&asked)
    );
    let stopped: Output = place.operate_single("backend", "stop").output()?;
    assert_eq!(stdout(&stopped), "Signalled\n", "{}", stderr(&stopped));
    drop(daemon);
    Ok(())
}

#[test]
fn a_killed_daemons_control_endpoint_is_no_answer_and_no_obstacle() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    place.status("PID")?;
    signal_process(daemon.pid(), Signal::SIGKILL);
    daemon.end()?;
    assert!(place.control()?.exists());
    let asked = place.operate("status", 2000).output()?;
    assert!(stderr(&asked).contains("not running"), "{}", stderr(&asked));
    let daemon = place.subject()?;
    assert_eq!(place.status("PID")?, daemon.pid().to_string());
    Ok(())
}
