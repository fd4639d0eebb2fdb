//! Shutdown: idle exit, removed files, and drains. Also: a running daemon leaks nothing and never wakes without need.

#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    ChildProcess, Fixture, SINGLE_INSTANCE_DAEMON, Signal, TEST_DAEMON, TIMEOUT, TestResult,
    number_from_env, read_line, status_number, stderr, wait_until,
};

fn start_idle_exit_daemon(fixture: &Fixture) -> Result<ChildProcess, Box<dyn Error>> {
    let program = env!("CARGO_BIN_EXE_idle-exit-daemon");
    fixture.start(fixture.command_without_instance(program))
}

#[test]
fn idle_exit_ends_a_daemon_without_open_connections() -> TestResult {
    let fixture = Fixture::new()?;
    let began = Instant::now();
    let output = start_idle_exit_daemon(&fixture)?.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(
        stderr(&output).contains("idle for 1 s: shutting down"),
        "{}",
        stderr(&output)
    );
    assert!(fixture.record().is_err() && fixture.is_lock_free()?);
    Ok(())
}

#[test]
fn an_open_connection_prevents_idle_exit() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = start_idle_exit_daemon(&fixture)?;
    let mut open = fixture.send("x")?;
    assert_eq!(read_line(&mut open)?, daemon.pid().to_string());
    // Three times the idle exit time.
    thread::sleep(Duration::from_secs(3));
    let mut other = fixture.send("y")?;
    assert_eq!(read_line(&mut other)?, daemon.pid().to_string());
    drop((open, other));
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    Ok(())
}

/// An accepted connection is never dropped without a reply.
#[test]
fn a_client_that_connects_during_idle_exit_is_served_or_refused() -> TestResult {
    let fixture = Fixture::new()?;
    for _ in 0..3 {
        let daemon = start_idle_exit_daemon(&fixture)?;
        let socket = fixture.socket()?;
        let began = Instant::now();
        let mut served = 0;
        while began.elapsed() < Duration::from_secs(20) {
            // From a little less to a little more than the idle exit time.
            thread::sleep(Duration::from_millis(985 + served * 3));
            let Ok(stream) = UnixStream::connect(&socket) else {
                break;
            };
            assert_eq!(
                read_line(&mut BufReader::new(stream))?,
                daemon.pid().to_string(),
                "an accepted client is served"
            );
            served += 1;
        }
        assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    }
    Ok(())
}

#[test]
fn quiet_connections_do_not_delay_shutdown() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    // One client that has sent nothing, and one that has had its first reply.
    let silent = UnixStream::connect(fixture.socket()?)?;
    silent.set_read_timeout(Some(TIMEOUT))?;
    let mut talking = fixture.send("hold")?;
    assert_eq!(read_line(&mut talking)?, "holding");
    let began = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(read_line(&mut talking)?, "held", "the reply still arrives");
    assert_eq!(
        read_line(&mut BufReader::new(silent))?,
        "",
        "closed without a reply"
    );
    assert_eq!(daemon.wait_with_output()?.status.code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}

#[test]
fn a_daemon_ends_when_its_directory_or_endpoint_is_gone() -> TestResult {
    const FOREIGN: &str = "another program's";
    for (what, replaced) in [
        ("socket", false),
        ("socket", true),
        ("directory", false),
        ("directory", true),
    ] {
        let fixture = Fixture::new()?;
        let mut command = fixture.command(TEST_DAEMON);
        command.env("BROKERED_TEST_CHECK_MS", "50");
        let daemon = fixture.start(command)?;
        // From here on the daemon writes no more to its record.
        fixture.wait_for_phase("ready");
        let instance = fixture.instance_directory()?;
        let moved = fixture.path().join("moved");
        if what == "socket" {
            fs::rename(instance.join("socket"), &moved)?;
            if replaced {
                fs::write(instance.join("socket"), FOREIGN)?;
            }
        } else {
            fs::rename(&instance, &moved)?;
            if replaced {
                fs::create_dir(&instance)?;
                fs::write(instance.join("record"), FOREIGN)?;
            }
        }
        let output = daemon.wait_with_output()?;
        assert_eq!(output.status.code(), Some(0), "{what}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("was removed or replaced"),
            "{what}"
        );
        if replaced && what == "directory" {
            let record = fs::read_to_string(instance.join("record"))?;
            assert_eq!(record, FOREIGN, "a foreign record is left alone");
        }
        if replaced && what == "socket" {
            let kept = fs::read_to_string(instance.join("socket"))?;
            assert_eq!(kept, FOREIGN, "a foreign file is left alone");
        }
    }
    Ok(())
}

/// A daemon without clients does nothing between the checks of its directory, once a minute.
#[test]
fn an_idle_daemon_never_wakes() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start(fixture.command_without_instance(SINGLE_INSTANCE_DAEMON))?;
    fixture.wait_for_phase("ready");
    // The daemon may still finish its start.
    let mut before = context_switches(daemon.pid())?;
    wait_until("the daemon is idle", || {
        thread::sleep(Duration::from_millis(200));
        let now = context_switches(daemon.pid()).unwrap_or_default();
        std::mem::replace(&mut before, now.clone()) == now
    });
    thread::sleep(Duration::from_secs(5));
    assert_eq!(
        context_switches(daemon.pid())?,
        before,
        "no thread has woken"
    );
    Ok(())
}

/// The voluntary and involuntary context switches of each thread.
fn context_switches(pid: u32) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut switches = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let status = fs::read_to_string(task.join("status"))?;
        let counts: Vec<&str> = status
            .lines()
            .filter(|line| line.contains("ctxt_switches"))
            .collect();
        switches.insert(task.display().to_string(), counts.join(" "));
    }
    Ok(switches)
}

/// `SOAK` sets the number of connections; the full tier makes a million.
#[test]
fn connections_leak_no_resources() -> TestResult {
    let soak: u32 = number_from_env("SOAK", 5000)?;
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    let socket = fixture.socket()?;
    let connect = |number: u32| -> TestResult {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| -> std::io::Result<()> {
                        for round in 0..number / 8 {
                            let mut stream = UnixStream::connect(&socket)?;
                            // Some clients hang up before their request, and some before the reply.
                            if round % 16 != 0 {
                                writeln!(stream, "pid")?;
                            }
                            if round % 16 > 1 {
                                let mut answer = String::new();
                                BufReader::new(stream).read_line(&mut answer)?;
                            }
                        }
                        Ok(())
                    })
                })
                .collect();
            for client in clients {
                client.join().map_err(|_| "a client panicked")??;
            }
            Ok(())
        })
    };
    connect(1600)?;
    let before = Resources::of(daemon.pid())?;
    connect(soak)?;
    let mut after = Resources::of(daemon.pid())?;
    wait_until("descriptors and threads are released", || {
        after = Resources::of(daemon.pid()).unwrap_or(after);
        after.descriptors <= before.descriptors && after.threads <= before.threads.max(10)
    });
    assert!(
        after.resident < before.resident + 2048,
        "{before:?}, and {after:?} after {soak} connections"
    );
    println!("{soak} connections: {before:?}, then {after:?}");
    Ok(())
}

/// The resources of a process; memory in KiB.
#[derive(Debug, Clone, Copy)]
struct Resources {
    resident: u64,
    threads: u64,
    descriptors: usize,
}

impl Resources {
    fn of(pid: u32) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            resident: status_number(pid, "VmRSS:")?,
            threads: status_number(pid, "Threads:")?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
        })
    }
}

/// Clients send requests as fast as they can while the daemon drains. Each client that has connected gets a reply.
///
/// `ROUNDS` sets the number of rounds; the full tier runs 1,000.
#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "without `shutdown` of the listener, a client that connects at that moment may be reset"
)]
fn a_drain_under_load_loses_no_request() -> TestResult {
    let rounds: usize = number_from_env("ROUNDS", 20)?;
    let mut total = 0;
    for round in 0..rounds {
        let fixture = Fixture::new()?;
        let child = fixture
            .command(TEST_DAEMON)
            .arg("8")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let daemon = ChildProcess(child);
        wait_until("the record exists", || fixture.record().is_ok());
        let socket = fixture.socket()?;
        let (answered, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let is_over = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let (answered, lost) = (Arc::clone(&answered), Arc::clone(&lost));
                let (socket, is_over) = (socket.clone(), Arc::clone(&is_over));
                thread::spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        // A refused connection is not a lost request.
                        let Ok(mut stream) = UnixStream::connect(&socket) else {
                            return;
                        };
                        let sent = writeln!(stream, "pid").is_ok();
                        let reply = read_line(&mut BufReader::new(stream)).unwrap_or_default();
                        if sent && !reply.is_empty() {
                            answered.fetch_add(1, Ordering::Relaxed);
                        } else {
                            lost.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let before_drain = 20 + round % 50;
        wait_until("the clients are served", || {
            answered.load(Ordering::Relaxed) > before_drain
        });
        daemon.signal(Signal::SIGTERM);
        let output = daemon.wait_with_output()?;
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().map_err(|_| "a client panicked")?;
        }
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(lost.load(Ordering::Relaxed), 0, "round {round}");
        total += answered.load(Ordering::Relaxed);
    }
    println!("{rounds} drains, {total} requests answered, none lost");
    Ok(())
}
