//! A client and its daemon in one executable. The client waits for a line before it connects; with `many` it
//! starts and ends several daemons and looks whether they were waited for.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io::{self, BufRead, Read, Write};
use std::process;

use brokered_runtime::{Bound, Daemon, brokered_daemon};
use daemon_tests::{process_state, until_ended};

const BOTH: Daemon = Daemon::new("both");

#[brokered_daemon(BOTH, cli = cli)]
fn main(bound: Bound) -> io::Result<()> {
    let handle = bound.handle();
    bound.serve(move |mut client| {
        handle.stop();
        writeln!(client, "{}", process::id())
    })
}

fn cli() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("many") {
        return many();
    }
    println!("begun");
    io::stdin().lock().read_line(&mut String::new())?;
    println!("served by {}", ask(BOTH)?);
    Ok(())
}

/// Asks the daemon, which ends after its answer.
fn ask(daemon: Daemon) -> Result<u32, Box<dyn Error>> {
    let mut answer = String::new();
    daemon.connect_or_spawn()?.read_to_string(&mut answer)?;
    Ok(answer.trim_end().parse()?)
}

fn many() -> Result<(), Box<dyn Error>> {
    let mut pids = Vec::new();
    for _ in 0..4 {
        let pid = ask(BOTH)?;
        until_ended(pid);
        pids.push(pid);
    }
    // The next call asks for those that have ended, also where it starts nothing.
    let _ = BOTH.connect_or_spawn()?;
    let zombies = pids
        .iter()
        .filter(|pid| process_state(**pid) == Some('Z'))
        .count();
    match zombies {
        0 => println!("no zombies"),
        some => println!("{some} zombies"),
    }
    Ok(())
}
