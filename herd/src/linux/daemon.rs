//! The daemon. It replies with its PID, and logs whether it is the only one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::process;

use brokered_runtime::{Bound, IpcStream};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::LOG_VARIABLE;

/// The log entry of a daemon that is the only one.
pub(super) const ONLY: &str = "only";
/// The log entry of a daemon that is bound while another one is.
pub(super) const SECOND: &str = "second";

pub(crate) fn serve(bound: Bound) -> io::Result<()> {
    if let Some(path) = std::env::var_os(LOG_VARIABLE) {
        let log = OpenOptions::new().append(true).read(true).open(path)?;
        log_start(log)?;
    }
    bound.serve(reply)
}

/// Logs this daemon, and holds a lock on the log until the process ends.
///
/// The lock is a record lock through descriptor 0. The kernel closes the lowest descriptor first, and releases record locks
/// at that time. So a dying daemon releases this lock before the instance lock, and a successor that finds it taken is
/// a second daemon, not an early one.
fn log_start(log: File) -> io::Result<()> {
    rustix::stdio::dup2_stdin(&log)?;
    // Closing any descriptor of a file releases its record locks, so this comes before the lock.
    drop(log);
    let stdin = io::stdin();
    let locked = rustix::fs::fcntl_lock(&stdin, FlockOperation::NonBlockingLockExclusive);
    let line = match locked {
        Ok(()) => format!("{} {ONLY}\n", process::id()),
        Err(Errno::AGAIN | Errno::ACCESS) => {
            format!("{} {SECOND}\n", process::id())
        }
        Err(error) => return Err(error.into()),
    };
    rustix::io::write(&stdin, line.as_bytes())?;
    Ok(())
}

fn reply(mut client: IpcStream) -> io::Result<()> {
    client.read_exact(&mut [0])?;
    client.write_all(&process::id().to_ne_bytes())
}
