//! A client and its daemon in one executable. The client reads a line before it connects. With `count-zombies` it
//! launches several daemons, one after the other, and counts those that it has not reaped.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io::{self, BufRead, Read, Write};
use std::process;

use brokered_runtime::{Bound, Daemon, brokered_daemon};
use daemon_tests::{process_state, wait_for_exit};

const CLIENT_AND_DAEMON: Daemon = Daemon::new("client-and-daemon");

#[brokered_daemon(CLIENT_AND_DAEMON, cli = cli)]
fn main(bound: Bound) -> io::Result<()> {
    let handle = bound.handle();
    bound.serve(move |mut client| {
        handle.stop();
        writeln!(client, "{}", process::id())
    })
}

fn cli() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("count-zombies") {
        return count_zombies();
    }
    println!("started");
    io::stdin().lock().read_line(&mut String::new())?;
    println!("served by {}", request_pid()?);
    Ok(())
}

/// Requests the process ID of the daemon, which ends after its reply.
fn request_pid() -> Result<u32, Box<dyn Error>> {
    let mut answer = String::new();
    CLIENT_AND_DAEMON
        .connect_or_spawn()?
        .read_to_string(&mut answer)?;
    Ok(answer.trim_end().parse()?)
}

fn count_zombies() -> Result<(), Box<dyn Error>> {
    let mut pids = Vec::new();
    for _ in 0..4 {
        let pid = request_pid()?;
        wait_for_exit(pid);
        pids.push(pid);
    }
    // The next call reaps the daemons that have ended, even if it starts none.
    let _ = CLIENT_AND_DAEMON.connect_or_spawn()?;
    let zombies = pids
        .iter()
        .filter(|pid| process_state(**pid) == Some('Z'))
        .count();
    match zombies {
        0 => println!("no zombies"),
        count => println!("{count} zombies"),
    }
    Ok(())
}
