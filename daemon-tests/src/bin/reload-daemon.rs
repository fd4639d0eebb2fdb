//! A daemon that reloads its configuration, which is one line: `refuse <reason>`, `panic` and `leave` are instructions,
//! and any other line is taken over. A client sends `state` or `busy`.

#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use brokered_runtime::{Bound, Handle, IpcStream, Reload, Reloads, State, brokered_daemon};
use daemon_tests::{CONFIGURATION, HOLD, LOAD_FIFO, RELOAD_DAEMON, RELOAD_MODE};

/// A state that loads until a fifo ends, if there is one.
struct Loaded;

impl State for Loaded {
    type Error = io::Error;

    fn load(_bound: &Bound) -> io::Result<Self> {
        if let Some(fifo) = env::var_os(LOAD_FIFO) {
            fs::File::open(fifo)?.read_to_end(&mut Vec::new())?;
        }
        Ok(Self)
    }
}

#[derive(Default)]
struct Shared {
    configuration: Mutex<String>,
    /// The reloads that have begun, in all parts of the daemon.
    begun: AtomicUsize,
    /// The signals that tokio's own handlers have received.
    hang_ups: AtomicUsize,
    user_signals: AtomicUsize,
}

#[brokered_daemon(RELOAD_DAEMON)]
fn main(bound: Bound, _loaded: Loaded) -> io::Result<()> {
    let shared = Arc::new(Shared::default());
    let threads = start_receivers(&bound.handle(), &shared)?;
    bound.serve({
        let shared = Arc::clone(&shared);
        move |client| reply(&client, &shared)
    })?;
    // They end because `wait` and `next` return `None`.
    for thread in threads {
        let _ = thread.join();
    }
    println!("served");
    Ok(())
}

fn start_receivers(handle: &Handle, shared: &Arc<Shared>) -> io::Result<Vec<JoinHandle<()>>> {
    let mode = env::var(RELOAD_MODE).unwrap_or_else(|_| "threads 1".to_owned());
    let shared = Arc::clone(shared);
    Ok(match mode.as_str() {
        "none" => Vec::new(),
        "poll" => {
            let (mut reloads, stopping) = (handle.reloads(), handle.stopping());
            vec![thread::spawn(move || {
                while !stopping.is_set() {
                    if let Some(reload) = reloads.try_next() {
                        work(reload, &shared, 0);
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            })]
        }
        "task" => {
            let reloads = handle.reloads();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            vec![thread::spawn(move || {
                runtime.block_on(receive(reloads, &shared));
            })]
        }
        threads => {
            let number = threads.strip_prefix("threads ").unwrap_or_default();
            let first = handle.reloads();
            let mut receivers = vec![first];
            while number
                .parse()
                .is_ok_and(|number: usize| receivers.len() < number)
            {
                receivers.push(receivers[0].clone());
            }
            let start = |(part, mut reloads): (usize, Reloads)| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    while let Some(reload) = reloads.wait() {
                        if !work(reload, &shared, part) {
                            return;
                        }
                    }
                })
            };
            receivers.into_iter().enumerate().map(start).collect()
        }
    })
}

/// Receives requests in tokio, and counts the signals that tokio's own handlers receive.
async fn receive(mut reloads: Reloads, shared: &Shared) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut hang_ups = signal(SignalKind::hangup()).expect("a handler for SIGHUP");
        let mut user_signals = signal(SignalKind::user_defined1()).expect("a handler for SIGUSR1");
        loop {
            tokio::select! {
                reload = reloads.next() => match reload {
                    Some(reload) => { work(reload, shared, 0); }
                    None => return,
                },
                _ = hang_ups.recv() => { shared.hang_ups.fetch_add(1, Ordering::SeqCst); }
                _ = user_signals.recv() => { shared.user_signals.fetch_add(1, Ordering::SeqCst); }
            }
        }
    }
    #[cfg(not(unix))]
    while let Some(reload) = reloads.next().await {
        work(reload, shared, 0);
    }
}

/// Works on a reload, as the part of the daemon that has this number, and returns whether to wait for the next one.
fn work(reload: Reload, shared: &Shared, part: usize) -> bool {
    let path = env::var_os(CONFIGURATION).unwrap_or_default();
    let read = fs::read_to_string(path);
    shared.begun.fetch_add(1, Ordering::SeqCst);
    wait_while_held(part);
    let text = match read {
        Ok(text) => text,
        Err(error) => {
            reload.refuse(error);
            return true;
        }
    };
    match text
        .trim_end()
        .split_once(' ')
        .unwrap_or((text.trim_end(), ""))
    {
        ("refuse", reason) => reload.refuse(reason),
        ("panic", _) => panic!("the configuration requested this panic"),
        ("leave", _) => return false,
        _ => text.trim_end().clone_into(
            &mut shared
                .configuration
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        ),
    }
    true
}

fn wait_while_held(part: usize) {
    let hold = env::var_os(HOLD).unwrap_or_default();
    while fs::read_to_string(&hold).is_ok_and(|from| part >= from.parse().unwrap_or(0)) {
        thread::sleep(Duration::from_millis(1));
    }
}

fn reply(client: &IpcStream, shared: &Shared) -> io::Result<()> {
    let mut lines = BufReader::new(client);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let mut reply: &IpcStream = client;
    if line.trim_end() == "busy" {
        writeln!(reply, "busy")?;
        wait_while_held(usize::MAX);
        // A terminal that has hung up must not make this panic.
        println!("a request was served");
        eprintln!("a request was served");
        return writeln!(reply, "served");
    }
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    let configuration = shared
        .configuration
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    writeln!(
        reply,
        "{configuration}, begun {}, SIGHUP {}, SIGUSR1 {}",
        count(&shared.begun),
        count(&shared.hang_ups),
        count(&shared.user_signals)
    )
}
