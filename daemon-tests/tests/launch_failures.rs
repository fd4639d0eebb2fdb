//! Clients on bad days: what they are told, and that the next one is better off.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use common::{
    BACKEND, Outcome, Place, Signal, connections, eventually, line, make_fifo, signal_process,
    stderr, stdout,
};

/// A client that starts a daemon which dies while it loads.
fn fail(place: &Place, why: &str) -> Result<Output, Box<dyn std::error::Error>> {
    let mut command = place.ask_command("pid");
    command
        .env(daemon_tests::LOAD_FAILS, why)
        .env("ASK_WAIT", "ready");
    Ok(command.output()?)
}

#[test]
fn a_daemon_that_dies_again_and_again_is_not_started_for_ever() -> Outcome {
    let place = Place::new()?;
    for attempt in 0..5 {
        let said = stderr(&fail(&place, "no disk today")?);
        assert!(
            said.contains("ended during its start-up"),
            "{attempt}: {said}"
        );
    }
    let said = stderr(&fail(&place, "no disk today")?);
    assert!(said.contains("started 5 times within 30 s"), "{said}");
    assert!(said.contains("is not started again for"), "{said}");
    assert!(said.contains("no disk today"), "the last failure: {said}");
    assert!(said.contains("exit status: 70"), "{said}");
    assert!(place.daemons().is_empty());
    // By hand it can be tried at any time; one that stays and ends as it should clears the count.
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.end()?.status.success());
    assert!(place.ask("pid").is_ok());
    Ok(())
}

#[test]
fn a_program_that_is_missing_spends_no_start() -> Outcome {
    let place = Place::new()?;
    let missing = place.path().join("missing");
    for _ in 0..8 {
        let said = stderr(&place.ask_program(&missing, "pid").output()?);
        assert!(said.contains("tried"), "{said}");
    }
    assert!(place.ask("pid").is_ok());
    Ok(())
}

#[test]
fn starts_that_nobody_can_read_refuse_nobody() -> Outcome {
    let long = "9".repeat(100_000);
    for torn in [&b"\0\xff\0\n"[..], long.as_bytes(), b"1 2 3\n999"] {
        let place = Place::new()?;
        let daemon = place.subject()?;
        daemon.signal(Signal::SIGTERM);
        daemon.end()?;
        fs::write(place.instance()?.join("starts"), torn)?;
        place.ask("pid")?;
    }
    let place = Place::new()?;
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGTERM);
    daemon.end()?;
    fs::create_dir(place.instance()?.join("starts"))?;
    place.ask("pid")?;
    Ok(())
}

#[test]
fn more_starts_than_usual_can_be_allowed() -> Outcome {
    let place = Place::new()?;
    for _ in 0..7 {
        let mut command = place.ask_command("pid");
        let output = command.env("ASK_STARTS", "20").output()?;
        let pid = stdout(&output).trim_end().parse()?;
        signal_process(pid, Signal::SIGKILL);
        eventually("it is dead", || place.is_free().unwrap_or(false));
    }
    let mut command = place.ask_command("pid");
    let said = stderr(&command.env("ASK_STARTS", "3").output()?);
    assert!(said.contains("started 3 times within 30 s"), "{said}");
    Ok(())
}

#[test]
fn whoever_had_queued_for_a_daemon_that_failed_finds_the_reason() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut first = place.ask_command("pid");
    first
        .env(daemon_tests::LOAD_FROM, &fifo)
        .stdout(Stdio::piped());
    let first = first.stderr(Stdio::piped()).spawn()?;
    // It is loading, which it does until somebody writes to the fifo.
    let gate = fs::OpenOptions::new().write(true).open(&fifo)?;
    let queued: Vec<_> = (0..4)
        .map(|_| {
            place
                .ask_command("pid")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        })
        .collect::<Result<_, _>>()?;
    let pid = place.recorded("PID")?;
    let socket = place.socket()?;
    eventually("all of them are in the backlog", || {
        connections(&socket) >= 5
    });
    signal_process(pid.parse()?, Signal::SIGKILL);
    drop(gate);
    for client in queued.into_iter().chain([first]) {
        let said = stderr(&client.wait_with_output()?);
        assert!(
            said.contains(&format!("no answer: subject, process {pid}")),
            "{said}"
        );
        assert!(said.contains("ended without reporting a reason"), "{said}");
        assert!(said.contains("/log"), "{said}");
    }
    Ok(())
}

#[test]
fn a_launcher_leaves_word_of_a_daemon_that_never_came_to_write_a_record() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    command
        .env("BROKERED_FAULT", "daemon:adopted=kill")
        .env("BROKERED_FAULT_ONCE", place.path().join("once"));
    let said = stderr(&command.output()?);
    assert!(said.contains("signal: 9 (SIGKILL)"), "{said}");
    assert_eq!(place.recorded("PHASE")?, "failed");
    assert_eq!(place.recorded("EXIT")?, "signal: 9 (SIGKILL)");
    assert!(place.is_free()?);
    // The next one that comes up is no failure.
    let pid = place.ask("pid")?;
    assert_eq!(place.recorded("PID")?, pid);
    Ok(())
}

#[test]
fn a_launcher_leaves_word_also_while_others_look_at_the_lock() -> Outcome {
    for _ in 0..20 {
        let place = Place::new()?;
        let met = place.path().join("once");
        let mut command = place.ask_command("pid");
        command
            .env("BROKERED_FAULT", "daemon:adopted=delay:600000")
            .env("BROKERED_FAULT_ONCE", &met);
        let client = command.stderr(Stdio::piped()).spawn()?;
        let pid = || fs::read_to_string(&met).ok()?.parse().ok();
        eventually("it has the lock", || pid().is_some());
        // Whoever wants to know whether there is a daemon shares the lock for a moment.
        let looking = fs::File::open(place.instance()?)?;
        signal_process(pid().ok_or("no daemon")?, Signal::SIGKILL);
        eventually("it is dead", || looking.try_lock_shared().is_ok());
        std::thread::sleep(std::time::Duration::from_millis(5));
        looking.unlock()?;
        let said = stderr(&client.wait_with_output()?);
        assert!(said.contains("signal: 9 (SIGKILL)"), "{said}");
        assert_eq!(place.recorded("PHASE")?, "failed");
        assert_eq!(place.recorded("EXIT")?, "signal: 9 (SIGKILL)");
    }
    Ok(())
}

#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "only Linux tells whether a process sleeps"
)]
fn a_daemon_that_sleeps_before_it_binds_is_killed_and_the_next_one_serves() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    command
        .env("BROKERED_FAULT", "daemon:adopted=delay:600000")
        .env("BROKERED_FAULT_ONCE", place.path().join("once"))
        .env("ASK_DEADLINE_MS", "2500");
    let said = stderr(&command.output()?);
    assert!(said.contains("(it is in `bind`)"), "{said}");
    assert!(said.contains("so it was killed"), "{said}");
    assert!(place.daemons().is_empty());
    assert!(place.recorded("FAILURE")?.contains("hung"));
    place.ask("pid")?;
    Ok(())
}

#[test]
fn a_daemon_that_works_or_is_stopped_before_it_binds_is_not_killed() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    command
        .env("BROKERED_FAULT", "daemon:adopted=spin:3000")
        .env("BROKERED_FAULT_ONCE", place.path().join("once"))
        .env("ASK_DEADLINE_MS", "2200");
    let said = stderr(&command.output()?);
    assert!(said.contains("it is still running"), "{said}");
    assert!(place.ask("pid").is_ok(), "it has come up");

    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    command
        .env("BROKERED_FAULT", "daemon:adopted=delay:1500")
        .env("BROKERED_FAULT_ONCE", place.path().join("once"))
        .env("ASK_DEADLINE_MS", "2200")
        .stderr(Stdio::piped());
    let client = command.spawn()?;
    eventually("it has come to the point", || {
        place.path().join("once").exists()
    });
    let stopped = place.daemons();
    assert_eq!(stopped.len(), 1);
    signal_process(stopped[0], Signal::SIGSTOP);
    let said = stderr(&client.wait_with_output()?);
    assert!(said.contains("it is still running"), "{said}");
    // The system ends it now, since nobody is left who could let it go on.
    eventually("the next one serves", || place.ask("pid").is_ok());
    Ok(())
}

#[test]
fn a_bind_that_sleeps_is_told_as_slow_in_bind_and_serves_later() -> Outcome {
    let place = Place::new()?;
    let ask = || {
        let mut command = place.command(env!("CARGO_BIN_EXE_ask-backend"));
        command
            .args(["launch-itself", BACKEND])
            .env_remove("BROKERED_INSTANCE");
        command
    };
    let output = ask()
        .env(daemon_tests::BIND_SLEEPS, "1000")
        .env("ASK_DEADLINE_MS", "500")
        .output()?;
    let said = stderr(&output);
    assert!(said.contains("it is in `bind`"), "{said}");
    let output = ask().output()?;
    assert!(stdout(&output).ends_with("bound\n"), "{}", stderr(&output));
    Ok(())
}

#[test]
fn one_variable_switches_daemons_off() -> Outcome {
    let place = Place::new()?;
    for off in ["1", "subject", "other, subject"] {
        let mut command = place.ask_command("pid");
        let said = stderr(&command.env("BROKERED_DISABLE", off).output()?);
        assert!(said.contains("disabled by BROKERED_DISABLE"), "{said}");
        assert_eq!(fs::read_dir(place.runtime())?.count(), 0);
    }
    let mut command = place.ask_command("pid");
    let output = command.env("BROKERED_DISABLE", "other").output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    Ok(())
}

#[test]
fn a_daemon_of_systemds_is_left_to_systemd() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGKILL);
    daemon.end()?;
    let path = place.instance()?.join("record");
    let record = fs::read_to_string(&path)?;
    fs::write(&path, record.replace("OWNER=hand", "OWNER=systemd"))?;
    let said = stderr(&place.ask_command("pid").output()?);
    assert!(said.contains("last started by systemd"), "{said}");
    assert!(place.daemons().is_empty());
    // A start by hand makes it one's own again.
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGKILL);
    daemon.end()?;
    place.ask("pid")?;
    Ok(())
}

#[test]
fn the_time_that_a_holder_does_not_listen_names_it() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    fs::remove_file(place.socket()?)?;
    let mut command = place.ask_command("pid");
    let said = stderr(&command.env("ASK_DEADLINE_MS", "100").output()?);
    let holder = format!("process {} (ready, started ", daemon.pid());
    assert!(said.contains(&holder), "{said}");
    Ok(())
}

#[test]
#[cfg_attr(brokered_portable, ignore = "only Linux still has the executable")]
fn an_executable_that_was_replaced_still_starts_its_daemon() -> Outcome {
    let place = Place::new()?;
    let installed = place.path().join("both");
    fs::copy(env!("CARGO_BIN_EXE_both"), &installed)?;
    let mut client = Command::new(&installed)
        .env("BROKERED_RUNTIME_DIR", place.runtime())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut answers = std::io::BufReader::new(client.stdout.take().ok_or("no output")?);
    assert_eq!(line(&mut answers)?, "begun");
    // An upgrade in place: the new file has the old one's name.
    fs::remove_file(&installed)?;
    fs::write(&installed, "#!/bin/sh\nexit 1\n")?;
    fs::set_permissions(&installed, fs::Permissions::from_mode(0o755))?;
    writeln!(client.stdin.as_ref().ok_or("no input")?, "go on")?;
    let answer = line(&mut answers)?;
    let output = client.wait_with_output()?;
    assert!(
        answer.starts_with("served by "),
        "{answer}{}",
        stderr(&output)
    );
    Ok(())
}

#[test]
fn a_client_that_goes_on_has_no_zombies() -> Outcome {
    let place = Place::new()?;
    let mut client = place.command(env!("CARGO_BIN_EXE_both"));
    let output = client.arg("many").output()?;
    assert_eq!(stdout(&output), "no zombies\n", "{}", stderr(&output));
    Ok(())
}
