//! Many client processes of one daemon, let go at the same instant, beside the same herd for `gpg-agent` and tmux.
//!
//! ```text
//! cargo run --release -p herd
//! cargo run --release -p herd -- --clients 100 --cases stale --sides brokered --rounds 100
//! cargo run --release -p herd -- --plot docs/herd.svg
//! ```
//!
//! | option | |
//! |---|---|
//! | `--clients N,..` | how many at once; 1,10,100,400 |
//! | `--cases CASE,..` | `cold`: nothing is there; `stale`: what a killed daemon leaves lies about; `killed`: the daemon is killed at random meanwhile |
//! | `--sides SIDE,..` | `brokered`, `gpg-agent`, `tmux`; those that aren't installed are left out |
//! | `--rounds N` | rounds of each; 10 |
//! | `--plot FILE` | draws how the clients' times are distributed, as an SVG |
//! | `--plain` | tab-separated figures, for programs |
//!
//! # How it is counted
//!
//! - **The start.** Every client is a shell that waits for the end of one pipe, and then becomes the client, on all
//!   sides alike. The pipe is closed once all of them wait. A client's time is from there to its exit, as the kernel
//!   reports it to its parent; so it has the client's own `exec` in it.
//! - **Owners.** Each of our daemons notes itself when it is bound, in a file that is only ever appended to, and
//!   takes a second, independent lock, which the kernel gives up *before* the instance lock when the daemon dies. A
//!   daemon that finds it taken was bound while another one was: it notes that, too. Of the others, those are counted
//!   that have answered, or live when the last client has ended.
//! - **The killer** finds the daemon by its lock and its record, holds on to it by a pidfd, and looks once more
//!   whether that is the recorded process of this executable. No number is ever signalled.
//! - **Once more.** A client whose daemon is killed before it has answered connects once more, as often as somebody
//!   is killed: `ended once` and `oftener` count such clients. `dying` counts connections to a process that was just
//!   being killed: its listener ends a moment after its streams, so
//!   clients ask for the last failure first, which waits for that. A client without an answer has failed, and
//!   so has one that has seen more daemons end than were killed, each under its launcher's number and its own.
//!
//! It ends with 1 if there was ever a second owner or a failure on our side.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
use linux::{HERD, cli, serve};

/// The daemon, which every client of a herd wants.
#[cfg(target_os = "linux")]
#[brokered_runtime::brokered_daemon(HERD, cli = cli)]
fn main(bound: brokered_runtime::Bound) -> std::io::Result<()> {
    serve(bound)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("herd: for Linux only; nothing was counted");
}
