//! One client. It requests the daemon's PID, launching the daemon if it does not run, and connects again if it dies.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use brokered_runtime::interprocess::local_socket::traits::StreamCommon;
use brokered_runtime::{IpcStream, LaunchError};

use super::{HERD, Result};

/// The deadline of all attempts.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The result of an attempt.
enum Attempt {
    /// The daemon's PID.
    Replied(u32),
    /// The daemon ran or was starting, and has ended.
    Ended {
        /// The process that listened, by the peer credentials.
        peer: Option<i32>,
        error: String,
    },
}

/// Prints the daemon's PID, how many daemons ended before the reply, and how often the client connected to a daemon again
/// that was still dying.
pub(super) fn run() -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    let (mut ended, mut dying) = (0, 0);
    let mut last = None;
    loop {
        match attempt(deadline)? {
            Attempt::Replied(daemon) => {
                println!("{daemon} {ended} {dying}");
                return Ok(());
            }
            Attempt::Ended { error, .. } if Instant::now() >= deadline => return Err(error.into()),
            // A killed process's streams close a moment before its listener.
            Attempt::Ended { peer, .. } if peer.is_some() && peer == last => dying += 1,
            Attempt::Ended { peer, .. } => {
                ended += 1;
                last = peer;
            }
        }
        // This waits until that process has ended.
        let _ = HERD.instance().last_failure();
    }
}

fn attempt(deadline: Instant) -> Result<Attempt> {
    let instance = HERD.instance();
    let remaining = deadline.saturating_duration_since(Instant::now());
    let mut stream = match instance.deadline(remaining).connect_or_spawn() {
        Ok(stream) => stream,
        Err(error @ LaunchError::Died { .. }) => {
            let error = error.to_string();
            return Ok(Attempt::Ended { peer: None, error });
        }
        Err(error) => return Err(error.into()),
    };
    let mut daemon = [0; 4];
    let replied = stream
        .write_all(b"?")
        .and_then(|()| stream.read_exact(&mut daemon));
    Ok(match replied {
        Ok(()) => Attempt::Replied(u32::from_ne_bytes(daemon)),
        Err(error) => Attempt::Ended {
            peer: peer(&stream),
            error: error.to_string(),
        },
    })
}

fn peer(stream: &IpcStream) -> Option<i32> {
    stream.peer_creds().ok()?.pid()
}
