//! The end: when it comes by itself, what it waits for, and what it does not wait for.

#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::env;
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
    Outcome, PATIENCE, Place, Running, SINGLE, SUBJECT, Signal, eventually, line, stderr,
};

const IDLER: &str = env!("CARGO_BIN_EXE_idler");

/// The idler, which may be gone before anybody has looked at it twice.
fn idler(place: &Place) -> Result<Running, Box<dyn Error>> {
    let mut command = place.command(IDLER);
    command.env_remove("BROKERED_INSTANCE");
    place.start(command)
}

#[test]
fn nobody_for_a_while_is_the_end() -> Outcome {
    let place = Place::new()?;
    let began = Instant::now();
    let output = idler(&place)?.end()?;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(
        stderr(&output).contains("no connection for 1 s: ending"),
        "{}",
        stderr(&output)
    );
    assert!(place.record().is_err() && place.is_free()?);
    Ok(())
}

#[test]
fn a_connection_that_is_open_is_never_idle() -> Outcome {
    let place = Place::new()?;
    let daemon = idler(&place)?;
    let mut held = place.say("x")?;
    assert_eq!(line(&mut held)?, daemon.pid().to_string());
    // Three times as long as it waits for nobody.
    thread::sleep(Duration::from_secs(3));
    let mut other = place.say("y")?;
    assert_eq!(line(&mut other)?, daemon.pid().to_string());
    drop((held, other));
    assert_eq!(daemon.end()?.status.code(), Some(0));
    Ok(())
}

/// Clients that come just as the daemon ends are served by it or refused, and never lost.
#[test]
fn whoever_comes_as_it_ends_is_served_or_refused() -> Outcome {
    let place = Place::new()?;
    for _ in 0..3 {
        let daemon = idler(&place)?;
        let socket = place.socket()?;
        let came = Instant::now();
        let mut served = 0;
        while came.elapsed() < Duration::from_secs(20) {
            // A little less and a little more than it waits.
            thread::sleep(Duration::from_millis(985 + served * 3));
            let Ok(stream) = UnixStream::connect(&socket) else {
                break;
            };
            assert_eq!(
                line(&mut BufReader::new(stream))?,
                daemon.pid().to_string(),
                "accepted is served"
            );
            served += 1;
        }
        assert_eq!(daemon.end()?.status.code(), Some(0));
    }
    Ok(())
}

#[test]
fn clients_that_only_wait_hold_up_nothing() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    // One that has said nothing, and one that is in the middle of a conversation.
    let silent = UnixStream::connect(place.socket()?)?;
    silent.set_read_timeout(Some(PATIENCE))?;
    let mut talking = place.say("hold")?;
    assert_eq!(line(&mut talking)?, "holding");
    let began = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(line(&mut talking)?, "held", "its reply still arrives");
    assert_eq!(
        line(&mut BufReader::new(silent))?,
        "",
        "as for an empty request"
    );
    assert_eq!(daemon.end()?.status.code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}

#[test]
fn a_directory_or_an_endpoint_that_is_gone_is_the_end() -> Outcome {
    for (what, replaced) in [
        ("socket", false),
        ("socket", true),
        ("directory", false),
        ("directory", true),
    ] {
        let place = Place::new()?;
        let mut command = place.command(SUBJECT);
        command.env("BROKERED_TEST_CHECK_MS", "50");
        let daemon = place.start(command)?;
        // Nothing more to write.
        place.until("ready");
        let instance = place.instance()?;
        let aside = place.path().join("aside");
        if what == "socket" {
            fs::rename(instance.join("socket"), &aside)?;
            if replaced {
                fs::write(instance.join("socket"), "somebody else's")?;
            }
        } else {
            fs::rename(&instance, &aside)?;
            if replaced {
                fs::create_dir(&instance)?;
                fs::write(instance.join("record"), "somebody else's")?;
            }
        }
        let output = daemon.end()?;
        assert_eq!(output.status.code(), Some(0), "{what}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("was removed or replaced"),
            "{what}"
        );
        if replaced && what == "directory" {
            let record = fs::read_to_string(instance.join("record"))?;
            assert_eq!(record, "somebody else's", "it touches what is not its own");
        }
        if replaced && what == "socket" {
            let kept = fs::read_to_string(instance.join("socket"))?;
            assert_eq!(kept, "somebody else's", "it touches what is not its own");
        }
    }
    Ok(())
}

/// Between its looks at its directory, once a minute, a daemon that nobody talks to does nothing at all.
#[test]
fn an_idle_daemon_sleeps() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(SINGLE);
    command.env_remove("BROKERED_INSTANCE");
    let daemon = place.start(command)?;
    place.until("ready");
    // Until what it has to do has been done.
    let mut before = wakes(daemon.pid())?;
    eventually("it has come to rest", || {
        thread::sleep(Duration::from_millis(200));
        let now = wakes(daemon.pid()).unwrap_or_default();
        std::mem::replace(&mut before, now.clone()) == now
    });
    thread::sleep(Duration::from_secs(5));
    assert_eq!(wakes(daemon.pid())?, before, "nobody has woken");
    Ok(())
}

/// How often each thread of a process has gone to sleep, or was put to it.
fn wakes(pid: u32) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut wakes = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let status = fs::read_to_string(task.join("status"))?;
        let counts: Vec<&str> = status
            .lines()
            .filter(|line| line.contains("ctxt_switches"))
            .collect();
        wakes.insert(task.display().to_string(), counts.join(" "));
    }
    Ok(wakes)
}

/// `SOAK` connections, 5,000 if that is not set: then the daemon is what it was before.
#[test]
fn connections_leave_nothing_behind() -> Outcome {
    let soak: u32 = match env::var("SOAK") {
        Ok(soak) => soak.parse()?,
        Err(_) => 5000,
    };
    let place = Place::new()?;
    let daemon = place.subject()?;
    let socket = place.socket()?;
    let connect = |number: u32| -> Outcome {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| -> std::io::Result<()> {
                        for round in 0..number / 8 {
                            let mut stream = UnixStream::connect(&socket)?;
                            // Some hang up before they have asked, and some before they are answered.
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
    let before = size(daemon.pid())?;
    connect(soak)?;
    let mut after = size(daemon.pid())?;
    eventually("it is what it was", || {
        after = size(daemon.pid()).unwrap_or(after);
        after.descriptors <= before.descriptors && after.threads <= before.threads.max(10)
    });
    assert!(
        after.resident < before.resident + 2048,
        "{before:?}, and after {soak} connections {after:?}"
    );
    println!("{soak} connections: {before:?}, then {after:?}");
    Ok(())
}

/// What a process takes up; memory in KiB.
#[derive(Debug, Clone, Copy)]
struct Size {
    resident: u64,
    threads: u64,
    descriptors: usize,
}

fn size(pid: u32) -> Result<Size, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let number = |key: &str| -> Result<u64, Box<dyn Error>> {
        let line = status.lines().find(|line| line.starts_with(key));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.ok_or("no such line")?.parse()?)
    };
    Ok(Size {
        resident: number("VmRSS:")?,
        threads: number("Threads:")?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
    })
}

/// Clients ask as fast as they can while the daemon is asked to end. Who has connected gets an answer.
///
/// `ROUNDS` of it, 20 if that is not set.
#[test]
#[cfg_attr(
    brokered_portable,
    ignore = "without a shutdown, a client that has resolved the path at that moment may be reset"
)]
fn a_drain_under_load_loses_no_request() -> Outcome {
    let rounds: usize = match env::var("ROUNDS") {
        Ok(rounds) => rounds.parse()?,
        Err(_) => 20,
    };
    let mut whole = 0;
    for round in 0..rounds {
        let place = Place::new()?;
        let child = place
            .command(SUBJECT)
            .arg("8")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let daemon = Running(child);
        eventually("it is recorded", || place.record().is_ok());
        let socket = place.socket()?;
        let (answered, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let is_over = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let (answered, lost) = (Arc::clone(&answered), Arc::clone(&lost));
                let (socket, is_over) = (socket.clone(), Arc::clone(&is_over));
                thread::spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        // Refused is no request.
                        let Ok(mut stream) = UnixStream::connect(&socket) else {
                            return;
                        };
                        let asked = writeln!(stream, "pid").is_ok();
                        let answer = line(&mut BufReader::new(stream)).unwrap_or_default();
                        if asked && !answer.is_empty() {
                            answered.fetch_add(1, Ordering::Relaxed);
                        } else {
                            lost.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let enough = 20 + round % 50;
        eventually("they are served", || {
            answered.load(Ordering::Relaxed) > enough
        });
        daemon.signal(Signal::SIGTERM);
        let output = daemon.end()?;
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().map_err(|_| "a client panicked")?;
        }
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(lost.load(Ordering::Relaxed), 0, "round {round}");
        whole += answered.load(Ordering::Relaxed);
    }
    println!("{rounds} drains, {whole} requests answered, none lost");
    Ok(())
}
