//! Serving: one client's trouble is one client's, and the end is graceful.

#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{
    Outcome, Place, Running, SUBJECT, Signal, eventually, has, line, make_fifo, stderr, stdout,
};

#[test]
fn a_thousand_clients_that_hang_up_end_nothing() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    let socket = place.socket()?;
    for round in 0..1000 {
        let mut stream = UnixStream::connect(&socket)?;
        // Some are gone before they have asked, some before they are answered.
        if round % 2 == 0 {
            writeln!(stream, "x")?;
        }
    }
    assert_eq!(line(&mut place.say("pid")?)?, daemon.pid().to_string());
    Ok(())
}

#[test]
fn a_panic_or_an_error_in_a_handler_ends_its_connection_alone() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    let mut other = place.say("hold")?;
    assert_eq!(line(&mut other)?, "holding");
    for trouble in ["panic", "error"] {
        let mut troubled = place.say(trouble)?;
        let mut answer = String::new();
        troubled.read_to_string(&mut answer)?;
        assert_eq!(answer, "", "its connection ends");
    }
    other.get_ref().shutdown(Shutdown::Write)?;
    assert_eq!(line(&mut other)?, "held");
    assert_eq!(line(&mut place.say("pid")?)?, daemon.pid().to_string());
    daemon.signal(Signal::SIGTERM);
    let said = stderr(&daemon.end()?);
    assert!(
        said.contains("a client told this handler to fail"),
        "{said}"
    );
    assert!(said.contains("a client told this handler to\n"), "{said}");
    Ok(())
}

#[test]
fn each_connection_is_a_span_and_each_phase_an_event() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(SUBJECT);
    command.env(daemon_tests::TRACES, "");
    let daemon = place.start(command)?;
    for _ in 0..3 {
        assert_eq!(line(&mut place.say("pid")?)?, daemon.pid().to_string());
    }
    daemon.signal(Signal::SIGTERM);
    let output = daemon.end()?;
    let said = stdout(&output);
    let times = |what: &str| said.lines().filter(|line| *line == what).count();
    // One is of whoever looked whether the daemon can be connected to.
    assert_eq!(times("span connection"), 4, "{said}");
    for once in ["span serve", "span drain", "event ready", "event draining"] {
        assert_eq!(times(once), 1, "{once}: {said}");
    }
    Ok(())
}

#[test]
fn clients_beyond_the_most_wait_in_the_backlog() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(SUBJECT);
    command.arg("2");
    let _daemon = place.start(command)?;
    let mut first = place.say("hold")?;
    let mut second = place.say("hold")?;
    assert_eq!(line(&mut first)?, "holding");
    assert_eq!(line(&mut second)?, "holding");

    let mut third = place.say("third")?;
    third
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(100)))?;
    assert!(third.fill_buf().is_err(), "nobody is free to answer");
    third.get_ref().set_read_timeout(Some(common::PATIENCE))?;

    drop(first);
    assert_eq!(line(&mut third)?, "third");
    Ok(())
}

#[test]
fn sigterm_finishes_what_is_served_and_leaves_nothing() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    let socket = place.socket()?;
    let mut held = place.say("hold")?;
    assert_eq!(line(&mut held)?, "holding");
    daemon.signal(Signal::SIGTERM);
    place.until("draining");
    eventually("new clients are refused", || {
        UnixStream::connect(&socket).is_err()
    });
    assert!(
        !place.is_free()?,
        "the lock is held while clients are served"
    );

    held.get_ref().shutdown(Shutdown::Write)?;
    assert_eq!(line(&mut held)?, "held");
    let output = daemon.end()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "served\n", "main goes on after `serve`");
    left_nothing(&place, &socket)
}

#[test]
fn sigint_and_stop_end_it_the_same_way() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    let socket = place.socket()?;
    daemon.signal(Signal::SIGINT);
    assert_eq!(daemon.end()?.status.code(), Some(0));
    left_nothing(&place, &socket)?;

    let daemon = place.subject()?;
    assert_eq!(line(&mut place.say("stop")?)?, "stopping");
    let output = daemon.end()?;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "served\n");
    left_nothing(&place, &socket)
}

#[test]
fn a_second_signal_cuts_the_drain_short() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    let socket = place.socket()?;
    let mut held = place.say("stuck")?;
    assert_eq!(line(&mut held)?, "stuck");
    daemon.signal(Signal::SIGTERM);
    place.until("draining");
    daemon.signal(Signal::SIGTERM);
    let output = daemon.end()?;
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("cut short"), "{}", stderr(&output));
    left_nothing(&place, &socket)
}

#[test]
fn a_drain_has_a_deadline() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    let mut held = place.say("stuck")?;
    assert_eq!(line(&mut held)?, "stuck");
    let began = Instant::now();
    daemon.signal(Signal::SIGTERM);
    let output = daemon.end()?;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(10), "{took:?}");
    assert!(
        stderr(&output).contains("still busy after 10 s"),
        "{}",
        stderr(&output)
    );
    Ok(())
}

#[test]
fn a_signal_during_a_load_ends_it_when_it_has_loaded() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = place.command(SUBJECT);
    command.env(daemon_tests::LOAD_FROM, &fifo);
    let daemon = place.start(command)?;
    let socket = place.socket()?;
    // `start` has left clients of its own in the queue; this one is behind them.
    let mut queued = place.say("queued")?;
    daemon.signal(Signal::SIGTERM);
    place.until("draining");
    drop(std::fs::File::create(&fifo)?);
    assert_eq!(line(&mut queued)?, "queued", "who had queued is served");
    assert_eq!(daemon.end()?.status.code(), Some(0));
    left_nothing(&place, &socket)
}

#[test]
fn whoever_had_queued_is_served_before_the_end() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(SUBJECT);
    command.arg("1");
    let daemon = place.start(command)?;
    let mut held = place.say("hold")?;
    assert_eq!(line(&mut held)?, "holding");
    let mut queued = Vec::new();
    for number in 0..50 {
        queued.push(place.say(&number.to_string())?);
    }
    daemon.signal(Signal::SIGTERM);
    place.until("draining");
    drop(held);
    for (number, client) in queued.iter_mut().enumerate() {
        assert_eq!(line(client)?, number.to_string());
    }
    assert_eq!(daemon.end()?.status.code(), Some(0));
    Ok(())
}

#[test]
fn clients_connect_and_wait_while_state_loads() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = place.command(SUBJECT);
    command.env(daemon_tests::LOAD_FROM, &fifo);
    let _daemon = place.start(command)?;
    place.until("loading");
    let mut waiting = place.say("phase")?;
    drop(std::fs::File::create(&fifo)?);
    assert_eq!(line(&mut waiting)?, "ready");
    Ok(())
}

#[test]
fn running_out_of_descriptors_ends_nothing() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command("sh");
    command.args(["-c", "ulimit -n 24; exec \"$1\"", "sh", SUBJECT]);
    let daemon = place.start(command)?;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(place.say("hold")?);
    }
    // Those that fit are served; the rest wait until somebody hangs up.
    assert_eq!(line(&mut clients[0])?, "holding");
    let mut last = clients.pop().ok_or("no client")?;
    drop(clients);
    assert_eq!(line(&mut last)?, "holding");
    drop(last);
    assert_eq!(line(&mut place.say("pid")?)?, daemon.pid().to_string());
    Ok(())
}

#[test]
fn a_daemon_that_could_not_wait_for_a_while_hears_of_its_end_all_the_same() -> Outcome {
    if !has(&["prlimit"]) {
        return Ok(());
    }
    let place = Place::new()?;
    let mut daemon = place.subject()?;
    let control = place.instance()?.join("control");
    eventually("its control endpoint", || control.exists());
    let pid = daemon.pid().to_string();
    let limit = |number: &str| {
        let limit = format!("--nofile={number}:");
        let limited = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(limited.expect("prlimit").success());
    };
    // Nobody may wait for more descriptors than that.
    limit("0");
    let mut said = BufReader::new(daemon.0.stderr.take().ok_or("no standard error")?);
    let _woken = UnixStream::connect(&control)?;
    let text = line(&mut said)?;
    assert!(text.contains("cannot wait for signals"), "{text}");
    daemon.signal(Signal::SIGTERM);
    limit("1024");
    assert_eq!(daemon.end()?.status.code(), Some(0));
    assert!(place.record().is_err() && place.is_free()?);
    Ok(())
}

#[test]
fn sigterm_as_soon_as_there_is_a_record_is_graceful() -> Outcome {
    for round in 0..100 {
        let place = Place::new()?;
        let mut command = place.command(SUBJECT);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let daemon = Running(child);
        eventually("it is recorded", || place.record().is_ok());
        daemon.signal(Signal::SIGTERM);
        let output = daemon.end()?;
        assert_eq!(
            output.status.code(),
            Some(0),
            "round {round}: {}",
            stderr(&output)
        );
        assert!(place.record().is_err(), "round {round}");
    }
    Ok(())
}

#[test]
fn a_stop_and_one_signal_cut_nothing_short() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    let mut held = place.say("hold")?;
    assert_eq!(line(&mut held)?, "holding");
    assert_eq!(line(&mut place.say("stop")?)?, "stopping");
    daemon.signal(Signal::SIGTERM);
    // A client that goes on sending is still in the middle of its request.
    held.get_ref()
        .set_read_timeout(Some(Duration::from_millis(20)))?;
    for _ in 0..20 {
        held.get_ref().write_all(b"more")?;
        assert!(held.fill_buf().is_err(), "it is still held");
    }
    held.get_ref().shutdown(Shutdown::Write)?;
    held.get_ref().set_read_timeout(Some(common::PATIENCE))?;
    assert_eq!(line(&mut held)?, "held");
    assert_eq!(daemon.end()?.status.code(), Some(0));
    Ok(())
}

/// Standard error is a file on a disk that is full, or a pipe that nobody reads.
#[test]
fn a_daemon_that_nobody_hears_serves_and_ends_all_the_same() -> Outcome {
    for silence in ["2>/dev/full", "2>&-", "2> >(exec true)"] {
        let place = Place::new()?;
        let mut command = place.command("bash");
        command.args(["-c", &format!("exec \"$0\" 2 {silence}"), SUBJECT]);
        let daemon = place.start(command)?;
        for trouble in ["error", "error", "panic", "bomb", "error"] {
            let mut answer = String::new();
            place.say(trouble)?.read_to_string(&mut answer)?;
            assert_eq!(answer, "", "{silence}: {trouble}");
        }
        let mut held = place.say("hold")?;
        assert_eq!(line(&mut held)?, "holding", "{silence}");
        daemon.signal(Signal::SIGTERM);
        place.until("draining");
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.end()?.status.code(), Some(0), "{silence}");
        assert!(place.is_free()?);

        let mut command = place.command("bash");
        let failed = command
            .args(["-c", &format!("exec \"$0\" {silence}"), SUBJECT])
            .env(daemon_tests::LOAD_FAILS, "no such shard")
            .status()?;
        assert_eq!(failed.code(), Some(70), "{silence}");
        assert_eq!(place.recorded("PHASE")?, "failed", "{silence}");
    }
    Ok(())
}

#[test]
fn a_guard_that_is_dropped_as_main_returns_is_not_waited_for() -> Outcome {
    let place = Place::new()?;
    for microseconds in (0..60).step_by(2) {
        let began = Instant::now();
        let ended = place
            .command(SUBJECT)
            .env(daemon_tests::MAIN_ENDS, format!("guard {microseconds}"))
            .output()?;
        assert_eq!(ended.status.code(), Some(1), "{}", stderr(&ended));
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{microseconds} µs: {took:?}");
    }
    Ok(())
}

#[test]
fn a_guard_that_is_kept_too_long_does_not_change_the_exit_code() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(SUBJECT);
    command.env(daemon_tests::MAIN_ENDS, "guard 3600000000");
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let daemon = Running(child);
    place.until("draining");
    daemon.signal(Signal::SIGTERM);
    daemon.signal(Signal::SIGTERM);
    // Two signals may come as one; the deadline ends it then.
    assert_eq!(daemon.end()?.status.code(), Some(1));
    assert!(place.is_free()?);
    Ok(())
}

fn left_nothing(place: &Place, socket: &Path) -> Outcome {
    assert!(!socket.exists(), "the socket is gone");
    assert!(place.record().is_err(), "the record is gone");
    assert!(place.is_free()?, "the lock is free");
    Ok(())
}
