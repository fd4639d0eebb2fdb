//! One client: asks for the daemon's process ID, starting it where need be, and again when the daemon dies.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use brokered_runtime::interprocess::local_socket::traits::StreamCommon;
use brokered_runtime::{IpcStream, LaunchError};

use super::{HERD, Result};

/// How long it tries.
const PATIENCE: Duration = Duration::from_secs(15);

/// What an attempt came to.
enum Attempt {
    /// The daemon's process ID.
    Answered(u32),
    /// The daemon was there, or was starting, and is no more.
    Ended {
        /// Whom the kernel names as the one that listened.
        peer: Option<i32>,
        why: String,
    },
}

/// Prints the daemon's process ID, how many daemons ended before this client had its answer, and how often
/// it met one of them again that was still dying.
pub(super) fn run() -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let (mut ended, mut dying) = (0, 0);
    let mut last = None;
    loop {
        match attempt(deadline)? {
            Attempt::Answered(daemon) => {
                println!("{daemon} {ended} {dying}");
                return Ok(());
            }
            Attempt::Ended { why, .. } if Instant::now() >= deadline => return Err(why.into()),
            // The streams of a process that is killed end a moment before its listener does.
            Attempt::Ended { peer, .. } if peer.is_some() && peer == last => dying += 1,
            Attempt::Ended { peer, .. } => {
                ended += 1;
                last = peer;
            }
        }
        // Waits until that process is gone.
        let _ = HERD.instance().last_failure();
    }
}

fn attempt(deadline: Instant) -> Result<Attempt> {
    let instance = HERD.instance();
    let left = deadline.saturating_duration_since(Instant::now());
    let mut stream = match instance.deadline(left).connect_or_spawn() {
        Ok(stream) => stream,
        Err(error @ LaunchError::Died { .. }) => {
            let why = error.to_string();
            return Ok(Attempt::Ended { peer: None, why });
        }
        Err(error) => return Err(error.into()),
    };
    let mut daemon = [0; 4];
    let answered = stream
        .write_all(b"?")
        .and_then(|()| stream.read_exact(&mut daemon));
    Ok(match answered {
        Ok(()) => Attempt::Answered(u32::from_ne_bytes(daemon)),
        Err(error) => Attempt::Ended {
            peer: peer(&stream),
            why: error.to_string(),
        },
    })
}

fn peer(stream: &IpcStream) -> Option<i32> {
    stream.peer_creds().ok()?.pid()
}
