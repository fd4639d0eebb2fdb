//! A thundering herd: many client processes of one daemon that are released at the same instant. The same herd runs against
//! `gpg-agent` and tmux for comparison.
//!
//! ```text
//! cargo run --release -p herd
//! cargo run --release -p herd -- --clients 100 --cases stale --implementations brokered --rounds 100
//! cargo run --release -p herd -- --plot docs/herd.svg
//! ```
//!
//! | option | meaning |
//! |---|---|
//! | `--clients N,..` | the numbers of clients; default 1,10,100,400 |
//! | `--cases CASE,..` | `cold`: no files exist; `stale`: the files of a killed daemon exist; `killed`: the daemon is killed at random times |
//! | `--implementations NAME,..` | `brokered`, `gpg-agent`, `tmux`; those that are not installed are left out |
//! | `--rounds N` | rounds of each herd; default 10 |
//! | `--plot FILE` | plots the distribution of the clients' times as an SVG |
//! | `--plain` | tab-separated figures, for programs |
//!
//! # Method
//!
//! - **Release.** Every client starts as a shell that waits for the end of one pipe and then executes the client, for all
//!   implementations alike. The pipe is closed once all of them wait. A client's time is from that moment to its exit, as
//!   the kernel reports it to its parent, so it includes the client's own `exec`.
//! - **Daemons.** Each daemon of ours appends a line to a log when it is bound, and takes a second, independent lock. When
//!   the daemon dies, the kernel releases that lock *before* the instance lock. A daemon that finds the second lock taken
//!   was bound at the same time as another one, and logs that. For the other implementations, the daemons are counted that
//!   have replied, or that run when the last client has ended.
//! - **Fault injector.** It finds the daemon by its lock and its record, opens a pidfd, and then checks again that this is
//!   the recorded process and runs this executable. It signals only through the pidfd.
//! - **Reconnects.** A client whose daemon is killed before the reply connects again. `reconnected once` and `more often`
//!   count such clients. `dying` counts connections to a process that was just being killed: its listener closes a moment
//!   after its streams. So clients first call `last_failure`, which waits for the process. A client without a reply has
//!   failed. So has a client that saw more daemons end than were killed, where each may be seen twice: under its launcher's
//!   PID and under its own.
//!
//! The exit code is 1 if there was ever a second daemon or a failed client with `brokered`.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
use linux::{HERD, cli, serve};

/// The daemon to which every client of a herd connects.
#[cfg(target_os = "linux")]
#[brokered_runtime::brokered_daemon(HERD, cli = cli)]
fn main(bound: brokered_runtime::Bound) -> std::io::Result<()> {
    serve(bound)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("herd: only Linux is supported");
}
