//! The daemon: tells its process ID to whoever asks, and notes whether it is the only one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::process;

use brokered_runtime::{Bound, IpcStream};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::NOTES;

/// What a daemon notes when it is the only one.
pub(super) const SOLE: &str = "sole";
/// What it notes when it is bound while another one is.
pub(super) const SECOND: &str = "second";

pub(crate) fn serve(bound: Bound) -> io::Result<()> {
    if let Some(path) = std::env::var_os(NOTES) {
        let notes = OpenOptions::new().append(true).read(true).open(path)?;
        note(notes)?;
    }
    bound.serve(answer)
}

/// Notes this daemon, and keeps a lock of its own on the notes for as long as it lives.
///
/// The lock is a record lock through descriptor 0. The kernel closes the lowest descriptor first, and lets record
/// locks go right then, so a dying daemon has given this one up before the instance lock: a successor that finds it
/// taken was not early by a hair, it was a second owner.
fn note(notes: File) -> io::Result<()> {
    rustix::stdio::dup2_stdin(&notes)?;
    // A record lock goes with the first descriptor of its file that is closed, so this comes before it is taken.
    drop(notes);
    let stdin = io::stdin();
    let taken = rustix::fs::fcntl_lock(&stdin, FlockOperation::NonBlockingLockExclusive);
    let line = match taken {
        Ok(()) => format!("{} {SOLE}\n", process::id()),
        Err(Errno::AGAIN | Errno::ACCESS) => {
            format!("{} {SECOND}\n", process::id())
        }
        Err(error) => return Err(error.into()),
    };
    rustix::io::write(&stdin, line.as_bytes())?;
    Ok(())
}

fn answer(mut client: IpcStream) -> io::Result<()> {
    client.read_exact(&mut [0])?;
    client.write_all(&process::id().to_ne_bytes())
}
