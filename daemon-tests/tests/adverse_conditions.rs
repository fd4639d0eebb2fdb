//! What a machine does by itself: full disks, descriptors that run out, clocks that jump, directories that vanish,
//! no time for anybody, and processes that are stopped in the middle.
//!
//! Whatever it is: one owner, no client waits past its deadline, the next client is served, and nobody has to
//! delete a file.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    ASK, Outcome, PATIENCE, Place, ROOT, Running, SUBJECT, Signal, eventually, has, line,
    make_fifo, set_mode, signal_process, stderr, stdout,
};

/// Runs a command to its end, which must come.
#[track_caller]
fn within(patience: Duration, command: &mut Command) -> Output {
    let child = piped(command);
    end_within(patience, child)
}

#[track_caller]
fn piped(command: &mut Command) -> Running {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running(child.expect("it starts"))
}

#[track_caller]
fn end_within(patience: Duration, mut running: Running) -> Output {
    let deadline = Instant::now() + patience;
    while running.0.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            let _ = running.0.kill();
            let said = running.end().expect("its output");
            panic!(
                "it hangs, after {patience:?}: {}{}",
                stdout(&said),
                stderr(&said)
            );
        }
        thread::sleep(Duration::from_millis(1));
    }
    running.end().expect("its output")
}

/// That a client was answered by the daemon that is recorded, and by which process.
#[track_caller]
fn answered(place: &Place, output: &Output) -> Result<String, Box<dyn Error>> {
    assert!(output.status.success(), "{}", stderr(output));
    let pid = stdout(output).trim_end().to_owned();
    assert_eq!(place.recorded("PID")?, pid);
    Ok(pid)
}

/// That nobody is told to delete anything.
#[track_caller]
fn harmless(said: &str) {
    for word in ["delete", "remove", "rm "] {
        assert!(!said.contains(word), "{said}");
    }
}

fn rounds(usual: u32) -> Result<u32, Box<dyn Error>> {
    Ok(match std::env::var("ROUNDS") {
        Ok(rounds) => rounds.parse()?,
        Err(_) => usual,
    })
}

/// A `subject` that waits, before it has begun, until somebody writes to the fifo.
fn slow_subject(place: &Place) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let fifo = place.path().join("go");
    make_fifo(&fifo)?;
    let script = place.path().join("slow-subject");
    let commands = format!("#!/bin/sh\nread go < {}\nexec {SUBJECT}\n", fifo.display());
    fs::write(&script, commands)?;
    set_mode(&script, 0o755)?;
    Ok((script, fifo))
}

/// Opening it for writing waits until the slow subject has opened it for reading: it runs.
fn hold_back(fifo: &Path) -> Result<fs::File, Box<dyn Error>> {
    Ok(fs::OpenOptions::new().write(true).open(fifo)?)
}

#[test]
fn a_full_disk_fails_a_launch_with_its_reason_and_the_next_one_has_room() -> Outcome {
    if !has(&[ROOT, "unshare"]) {
        return Ok(());
    }
    // No space at all; then room for one, two, ... inodes, the file system's own among them.
    let sizes = ["size=16k".to_owned()]
        .into_iter()
        .chain((1..=7).map(|inodes| format!("nr_inodes={inodes}")));
    let mut failed = 0;
    for size in sizes {
        let place = Place::new()?;
        let script = "mount -t tmpfs -o mode=0700,\"$1\" none \"$2\" || exit 99
            runtime=$2; shift 2
            case $FULL in size*) head -c 1m /dev/zero >\"$runtime/other\" 2>/dev/null;; esac
            \"$@\"; echo \"first $?\"
            case $FULL in size*) : >\"$runtime/other\";; esac
            mount -o remount,nr_inodes=1000 none \"$runtime\" || exit 99
            \"$@\"; echo \"second $?\"";
        let ask = place.ask_command("pid");
        let mut command = place.command("unshare");
        command
            .args(["--mount", "sh", "-c", script, "sh", &size])
            .arg(place.runtime())
            .arg(ask.get_program())
            .args(ask.get_args())
            .env("FULL", &size)
            .env_remove("BROKERED_INSTANCE");
        let output = within(PATIENCE, &mut command);
        let (said, report) = (stderr(&output), stdout(&output));
        // The directory is in another mount namespace, so nobody else ends what was started there.
        for pid in report.lines().filter_map(|line| line.parse().ok()) {
            signal_process(pid, Signal::SIGKILL);
        }
        assert!(report.ends_with("second 0\n"), "{size}: {report}{said}");
        if report.contains("first 1\n") {
            failed += 1;
            assert!(said.contains("No space left on device"), "{size}: {said}");
        } else {
            assert!(report.contains("first 0\n"), "{size}: {report}{said}");
        }
        harmless(&said);
    }
    assert!(failed >= 4, "{failed}: these disks were not full");
    Ok(())
}

#[test]
fn a_client_without_descriptors_says_so_and_the_next_one_is_served() -> Outcome {
    let mut failed = 0;
    for limit in 3..16 {
        let place = Place::new()?;
        let ask = place.ask_command("pid");
        let mut command = place.command("sh");
        command
            .args(["-c", "ulimit -S -n \"$1\"; shift; exec \"$@\"", "sh"])
            .arg(limit.to_string())
            .arg(ask.get_program())
            .args(ask.get_args())
            .env_remove("BROKERED_INSTANCE");
        let output = within(PATIENCE, &mut command);
        if output.status.success() {
            answered(&place, &output)?;
        } else {
            failed += 1;
            let said = stderr(&output);
            // The client may be too poor even to be loaded; then the system's loader says so.
            let of_ours = said.starts_with("ask: ") && said.contains("open files");
            assert!(of_ours || said.contains("shared librar"), "{limit}: {said}");
            harmless(&said);
        }
        let next = within(PATIENCE, &mut place.ask_command("pid"));
        answered(&place, &next)?;
    }
    assert!(failed > 1, "{failed}: there were enough");
    Ok(())
}

#[test]
fn a_client_that_launches_a_thousand_times_keeps_nothing() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(env!("CARGO_BIN_EXE_relaunch"));
    command
        .arg(place.directory())
        .args([SUBJECT, &rounds(1000)?.to_string()])
        .env_remove("BROKERED_INSTANCE");
    let output = within(PATIENCE * 10, &mut command);
    assert!(output.status.success(), "{}", stderr(&output));
    let report = stdout(&output);
    let numbers: Vec<u32> = report
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [before, after, children] = numbers[..] else {
        return Err(report.into());
    };
    assert_eq!(before, after, "descriptors");
    assert_eq!(children, 1, "the last daemon alone: {report}");
    Ok(())
}

const FAKE_CLOCK: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Gives a command a wall clock that a file sets, and leaves it all other clocks.
fn with_clock(command: &mut Command, file: &Path) {
    command
        .env("LD_PRELOAD", FAKE_CLOCK)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_TIMESTAMP_FILE", file);
}

#[test]
fn a_clock_that_is_set_while_a_client_waits_changes_nothing() -> Outcome {
    if !has(&[FAKE_CLOCK]) {
        return Ok(());
    }
    let place = Place::new()?;
    let first = place.ask("pid")?;
    signal_process(first.parse()?, Signal::SIGKILL);
    eventually("it is dead", || place.is_free().unwrap_or(false));
    let holder = fs::File::open(place.instance()?)?;
    holder.lock()?;
    let clock = place.path().join("clock");
    for jump in ["-10d", "+10d"] {
        fs::write(&clock, "+0d")?;
        let mut date = Command::new("date");
        with_clock(date.arg("+%s"), &clock);
        let seconds = |date: &mut Command| -> Result<i64, Box<dyn Error>> {
            Ok(stdout(&date.output()?).trim_end().parse()?)
        };
        let now = seconds(&mut date)?;
        let mut command = place.ask_command("pid");
        with_clock(command.env("ASK_DEADLINE_MS", "700"), &clock);
        let began = Instant::now();
        let client = piped(&mut command);
        let program = PathBuf::from(format!("/proc/{}/exe", client.pid()));
        eventually("the client runs", || {
            fs::read_link(&program).is_ok_and(|program| program == Path::new(ASK))
        });
        fs::write(&clock, jump)?;
        let jumped = (seconds(&mut date)? - now).abs();
        assert!(jumped > 9 * 86_400, "the clock was not set: {jumped} s");
        let output = end_within(PATIENCE, client);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(700), "{jump}: {took:?}");
        assert!(took < Duration::from_secs(10), "{jump}: {took:?}");
        let said = stderr(&output);
        assert!(said.contains("cannot reach subject"), "{said}");
    }
    drop(holder);
    // And the next one, ten days later or earlier, finds nothing strange in what the others have left.
    let mut command = place.ask_command("pid");
    with_clock(&mut command, &clock);
    let pid = answered(&place, &within(PATIENCE, &mut command))?;
    assert_eq!(place.ask("pid")?, pid);
    // What fakes the clock cleans up behind itself where it is let.
    signal_process(pid.parse()?, Signal::SIGTERM);
    eventually("it has ended", || place.is_free().unwrap_or(false));
    Ok(())
}

/// Lets clients start daemons, and kills each, until a client is refused.
#[track_caller]
fn spend_all_starts(place: &Place, client: impl Fn() -> Command) -> Outcome {
    for _ in 0..20 {
        let output = within(PATIENCE, &mut client());
        if !output.status.success() {
            let said = stderr(&output);
            assert!(said.contains("is not started again"), "{said}");
            harmless(&said);
            return Ok(());
        }
        let pid = answered(place, &output)?;
        signal_process(pid.parse()?, Signal::SIGKILL);
        eventually("it is dead", || place.is_free().unwrap_or(false));
    }
    panic!("twenty starts, and nobody was refused");
}

#[test]
fn a_boot_clock_that_is_elsewhere_hinders_no_launch() -> Outcome {
    if !has(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let place = Place::new()?;
    // As in a container that was restored elsewhere: what it has noted is in the future of whoever comes after.
    let ask = place.ask_command("pid");
    let elsewhere = |offset: &str| {
        let mut command = place.command("unshare");
        command
            .args(["--time", "--boottime", offset, "--monotonic", offset])
            .arg(ask.get_program())
            .args(ask.get_args())
            .env_remove("BROKERED_INSTANCE");
        command
    };
    spend_all_starts(&place, || elsewhere("2000000"))?;
    for offset in ["0", "1000000"] {
        let output = within(PATIENCE, &mut elsewhere(offset));
        let pid = answered(&place, &output)?;
        assert_eq!(place.ask("pid")?, pid);
        signal_process(pid.parse()?, Signal::SIGKILL);
        eventually("it is dead", || place.is_free().unwrap_or(false));
    }
    Ok(())
}

#[test]
fn a_wall_clock_that_is_set_gives_a_dying_daemon_no_more_starts() -> Outcome {
    if !has(&[FAKE_CLOCK]) {
        return Ok(());
    }
    let place = Place::new()?;
    let clock = place.path().join("clock");
    spend_all_starts(&place, || place.ask_command("pid"))?;
    for jump in ["-10d", "+10d"] {
        fs::write(&clock, jump)?;
        let mut command = place.ask_command("pid");
        with_clock(&mut command, &clock);
        let output = within(PATIENCE, &mut command);
        let said = stderr(&output);
        assert!(!output.status.success(), "{jump}: {}", stdout(&output));
        assert!(said.contains("is not started again"), "{jump}: {said}");
    }
    Ok(())
}

#[test]
fn a_directory_that_is_removed_or_replaced_gets_a_daemon_of_its_own() -> Outcome {
    for replaced in [false, true] {
        let place = Place::new()?;
        let mut old = place.subject()?;
        place.until("ready");
        let instance = place.instance()?;
        let away = place.path().join("away");
        fs::rename(&instance, &away)?;
        if replaced {
            fs::create_dir(&instance)?;
            set_mode(&instance, 0o700)?;
        } else {
            fs::remove_dir_all(&away)?;
        }
        let output = within(PATIENCE, &mut place.ask_command("pid"));
        let new = answered(&place, &output)?;
        assert_ne!(new, old.pid().to_string());
        // The old one ends and touches nothing of the new one's, in whose place it once was.
        if old.0.try_wait()?.is_none() {
            old.signal(Signal::SIGTERM);
        }
        let ended = old.end()?;
        assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
        assert_eq!(place.ask("pid")?, new, "replaced: {replaced}");
        assert_eq!(place.recorded("PID")?, new);
    }
    Ok(())
}

#[test]
fn a_directory_that_goes_in_the_middle_of_a_launch_fails_it_and_no_other() -> Outcome {
    for replaced in [false, true] {
        let place = Place::new()?;
        let (slow, fifo) = slow_subject(&place)?;
        let launching = piped(&mut place.ask_program(slow, "pid"));
        let mut go = hold_back(&fifo)?;
        let instance = place.instance()?;
        fs::rename(&instance, place.path().join("away"))?;
        if replaced {
            fs::create_dir(&instance)?;
            set_mode(&instance, 0o700)?;
        }
        // Whoever comes now sees nobody, and starts one.
        let output = within(PATIENCE, &mut place.ask_command("pid"));
        let new = answered(&place, &output)?;
        writeln!(go, "go")?;
        let first = end_within(PATIENCE, launching);
        let said = stderr(&first);
        assert!(!first.status.success(), "{}", stdout(&first));
        assert!(said.contains("ended during its start-up"), "{said}");
        assert!(
            said.contains("the passed lock is not on the instance directory"),
            "{said}"
        );
        harmless(&said);
        assert_eq!(place.ask("pid")?, new, "replaced: {replaced}");
        assert_eq!(place.recorded("PID")?, new);
    }
    Ok(())
}

/// Processes that compute until this is dropped.
struct Load(Vec<Child>);

impl Load {
    fn of(number: usize) -> Result<Self, Box<dyn Error>> {
        let mut load = Self(Vec::new());
        for _ in 0..number {
            let mut busy = Command::new("sh");
            load.0
                .push(busy.args(["-c", "while :; do :; done"]).spawn()?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for process in &mut self.0 {
            let _ = process.kill();
        }
        for process in &mut self.0 {
            let _ = process.wait();
        }
    }
}

/// As many of them as one likes: `BUSY=200 cargo test --release -p daemon-tests --test adverse_conditions busy`.
#[test]
fn at_nice_19_among_busy_processes_a_launch_takes_its_time_and_succeeds() -> Outcome {
    if !has(&["nice"]) {
        return Ok(());
    }
    let busy = match std::env::var("BUSY") {
        Ok(busy) => busy.parse()?,
        Err(_) => 16,
    };
    let place = Place::new()?;
    let ask = place.ask_command("pid");
    let mut command = place.command("nice");
    command
        .args(["-n", "19"])
        .arg(ask.get_program())
        .args(ask.get_args())
        .env("ASK_DEADLINE_MS", "120000")
        .env_remove("BROKERED_INSTANCE");
    let load = Load::of(busy)?;
    let began = Instant::now();
    let output = within(PATIENCE * 10, &mut command);
    let took = began.elapsed();
    drop(load);
    eprintln!("a client at nice 19 among {busy} busy processes: {took:?}");
    let pid = answered(&place, &output)?;
    assert_eq!(place.ask("pid")?, pid, "it was not killed for being slow");
    Ok(())
}

/// The rounds can be had by the thousand: `ROUNDS=10000 cargo test --release -p daemon-tests --test adverse_conditions launchers`.
#[test]
fn two_launchers_and_a_daemon_by_hand_start_over_stale_files_and_one_owns() -> Outcome {
    for round in 0..rounds(300)? {
        let place = Place::new()?;
        let stale = place.subject()?;
        stale.signal(Signal::SIGKILL);
        let _ = stale.end()?;
        let mut by_hand = place.command(SUBJECT);
        let mut by_hand = piped(&mut by_hand);
        let launchers = [
            piped(&mut place.ask_command("pid")),
            piped(&mut place.ask_command("pid")),
        ];
        let mut owners = Vec::new();
        for launcher in launchers {
            let output = end_within(PATIENCE, launcher);
            owners.push(answered(&place, &output)?);
        }
        assert_eq!(owners[0], owners[1], "round {round}");
        if owners[0] == by_hand.pid().to_string() {
            assert!(by_hand.0.try_wait()?.is_none(), "round {round}");
            assert_eq!(place.recorded("OWNER")?, "hand", "round {round}");
        } else {
            let output = by_hand.end()?;
            assert_eq!(
                output.status.code(),
                Some(69),
                "round {round}: {}",
                stderr(&output)
            );
            assert_eq!(place.recorded("OWNER")?, "launcher", "round {round}");
        }
    }
    Ok(())
}

#[test]
fn a_launcher_that_is_stopped_while_it_waits_holds_up_nobody() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("load");
    make_fifo(&fifo)?;
    let mut command = place.ask_command("pid");
    command
        .env(daemon_tests::LOAD_FROM, &fifo)
        .env("ASK_WAIT", "ready");
    let mut stopped = piped(&mut command);
    let load = hold_back(&fifo)?;
    let lock = place.instance()?;
    let descriptors = PathBuf::from(format!("/proc/{}/fd", stopped.pid()));
    eventually("it has let go of the lock", || {
        let mut open = fs::read_dir(&descriptors).into_iter().flatten().flatten();
        !open.any(|open| fs::read_link(open.path()).is_ok_and(|path| path == lock))
    });
    assert!(stopped.0.try_wait()?.is_none(), "only at its end");
    signal_process(stopped.pid(), Signal::SIGSTOP);
    drop(load);
    let output = within(PATIENCE, &mut place.ask_command("pid"));
    let pid = answered(&place, &output)?;
    // The daemon's death shows, whatever the stopped launcher still has of it.
    signal_process(pid.parse()?, Signal::SIGKILL);
    eventually("the lock is free", || place.is_free().unwrap_or(false));
    let output = within(PATIENCE, &mut place.ask_command("pid"));
    let next = answered(&place, &output)?;
    assert_ne!(next, pid);
    // And when it goes on, it hears of the daemon that it has started, and disturbs no other.
    signal_process(stopped.pid(), Signal::SIGCONT);
    end_within(PATIENCE, stopped);
    assert_eq!(place.ask("pid")?, next);
    Ok(())
}

#[test]
fn a_launcher_that_is_stopped_anywhere_makes_others_wait_until_their_deadline_at_most() -> Outcome {
    let mut held = 0;
    for round in 0..rounds(100)? {
        let place = Place::new()?;
        let stopped = piped(&mut place.ask_command("pid"));
        // Where that meets it differs: somewhere within the milliseconds in which it launches.
        thread::sleep(Duration::from_micros(u64::from(round) * 61 % 6000));
        signal_process(stopped.pid(), Signal::SIGSTOP);
        let said = place.path().join("said");
        let mut command = place.ask_command("pid");
        command
            .env("ASK_DEADLINE_MS", "150")
            .env("ASK_TELL", "1")
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&said)?);
        let began = Instant::now();
        let mut other = Running(command.spawn()?);
        let connected = || fs::read_to_string(&said).unwrap_or_default() == "connected\n";
        eventually("the other one is connected, or gives up", || {
            connected() || other.0.try_wait().is_ok_and(|ended| ended.is_some())
        });
        assert!(began.elapsed() < Duration::from_secs(10), "round {round}");
        // It may have connected before there is a daemon, to what the stopped one has bound.
        let has_connected = connected();
        signal_process(stopped.pid(), Signal::SIGCONT);
        let first = end_within(PATIENCE, stopped);
        let pid = answered(&place, &first)?;
        let output = end_within(PATIENCE, other);
        if has_connected {
            assert_eq!(
                stdout(&output).trim_end(),
                pid,
                "round {round}: two daemons"
            );
        } else {
            held += 1;
            let said = fs::read_to_string(&said)?;
            assert!(
                said.contains("cannot reach subject"),
                "round {round}: {said}"
            );
            harmless(&said);
        }
        assert_eq!(place.ask("pid")?, pid, "round {round}");
    }
    eprintln!("a stopped launcher held the lock in {held} rounds");
    Ok(())
}

#[test]
fn a_client_in_another_pid_namespace_is_served_and_so_is_one_outside_of_it() -> Outcome {
    if !has(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let inside = |place: &Place, shell: &str| {
        let ask = place.ask_command("pid");
        let mut command = place.command("unshare");
        command
            .args(["--pid", "--fork", "sh", "-c", shell, "sh"])
            .arg(ask.get_program())
            .args(ask.get_args())
            .env_remove("BROKERED_INSTANCE");
        command
    };
    let place = Place::new()?;
    let pid = place.ask("pid")?;
    let output = within(PATIENCE, &mut inside(&place, "\"$@\"; exit $?"));
    assert_eq!(answered(&place, &output)?, pid);

    // The other way round: the daemon is in there, and lives as long as the namespace's first process does.
    let place = Place::new()?;
    let mut first = inside(&place, "\"$@\"; echo; read -r _");
    let mut first = piped(first.stdin(Stdio::piped()));
    let mut report = std::io::BufReader::new(first.0.stdout.take().ok_or("no output")?);
    let in_there = line(&mut report)?;
    let output = within(PATIENCE, &mut place.ask_command("pid"));
    assert_eq!(answered(&place, &output)?, in_there, "its number in there");
    drop(first.0.stdin.take());
    end_within(PATIENCE, first);
    eventually("the lock is free", || place.is_free().unwrap_or(false));
    let output = within(PATIENCE, &mut place.ask_command("pid"));
    answered(&place, &output)?;
    Ok(())
}
