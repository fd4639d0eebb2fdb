//! A daemon that panics, or ends in another sudden way. Its test builds it once more with `panic = "abort"`.
//!
//! `TEST_DAEMON_PANICS_IN` says where; the panic waits for the end of the fifo in `TEST_DAEMON_LOAD_FIFO`, if it is set.
//! A client's line does the same in its handler.

#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::panic;
use std::process;
use std::thread;

use brokered_runtime::{Background, Bound, State, brokered_daemon};
use daemon_tests::{LOAD_FIFO, PANICS_IN, TEST_DAEMON};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

struct First;

impl State for First {
    type Error = io::Error;

    fn load(_: &Bound) -> io::Result<Self> {
        panic_in("load")?;
        Ok(Self)
    }
}

struct Later;

impl State for Later {
    type Error = io::Error;

    fn load(_: &Bound) -> io::Result<Self> {
        panic_in("background")?;
        Ok(Self)
    }
}

#[brokered_daemon(TEST_DAEMON)]
fn main(bound: Bound, _first: First, _later: Background<Later>) -> io::Result<()> {
    match env::var(PANICS_IN).as_deref() {
        Ok("chained") => {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                eprintln!("the hook of main");
                before(info);
            }));
            panic!("chained");
        }
        Ok("replaced") => {
            panic::set_hook(Box::new(|_| eprintln!("the hook of main")));
            panic!("replaced");
        }
        Ok("thread") => {
            let worker = thread::Builder::new().name("worker".to_owned());
            let panics = worker.spawn(|| panic!("in a thread"))?;
            let _ = panics.join();
        }
        Ok("supervisor") => {
            tracing::subscriber::set_global_default(PanicsInDrain).map_err(io::Error::other)?;
            bound.handle().stop();
        }
        Ok("everywhere") => {
            let threads: Vec<_> = (0..8)
                .map(|_| thread::spawn(|| panic!("in one of many threads")))
                .collect();
            for thread in threads {
                let _ = thread.join();
            }
        }
        _ => panic_in("main")?,
    }
    bound.serve(|client| {
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line)?;
        match line.trim_end() {
            "panic" => panic!("in handler\nwith a second line"),
            "long" => panic!("{}", "ä".repeat(1 << 20)),
            "value" => panic::panic_any(7),
            "abort" => process::abort(),
            "overflow" => Err(io::Error::other(depth(0).to_string())),
            other => Err(io::Error::other(other.to_owned())),
        }
    })
}

fn panic_in(place: &str) -> io::Result<()> {
    if env::var(PANICS_IN).as_deref() == Ok(place) {
        if let Some(fifo) = env::var_os(LOAD_FIFO) {
            fs::File::open(fifo)?.read_to_end(&mut Vec::new())?;
        }
        panic!("in {place}");
    }
    Ok(())
}

/// Calls itself until the stack is full.
fn depth(level: u64) -> u64 {
    let used = std::hint::black_box([level; 64]);
    if level == u64::MAX {
        return used[0];
    }
    depth(level + 1) + used[1]
}

/// A subscriber that panics on the supervisor thread.
struct PanicsInDrain;

impl Subscriber for PanicsInDrain {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "brokered"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        assert_ne!(span.metadata().name(), "drain", "in the drain");
        Id::from_u64(1)
    }

    fn event(&self, _event: &Event<'_>) {}
    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}
