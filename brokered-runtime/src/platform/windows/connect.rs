//! Connecting with a deadline.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use interprocess::ConnectWaitMode;
use interprocess::local_socket::Stream as IpcStream;
use interprocess::os::windows::named_pipe::DuplexPipeStream;
use windows_sys::Win32::Foundation::{ERROR_PIPE_BUSY, ERROR_SEM_TIMEOUT};

use super::pipe::from_pipe;

/// The longest single wait for a free instance. The system does not end a wait when the pipe's last instance is closed,
/// so the wait is repeated in short parts.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

pub(crate) fn connect(path: &Path, deadline: Instant) -> io::Result<IpcStream> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // A local socket of `interprocess` ignores its wait mode and waits indefinitely.
        let connected = DuplexPipeStream::connect_by_path_with_wait_mode(
            path,
            ConnectWaitMode::Timeout(left.min(LONGEST_WAIT)),
        );
        match connected {
            Ok(stream) => return Ok(from_pipe(stream)),
            Err(error) if !is_busy(&error) => return Err(error),
            Err(_) if left.is_zero() => return Err(io::ErrorKind::WouldBlock.into()),
            Err(_) => {}
        }
    }
}

/// Whether all instances of the pipe were busy during the whole wait.
fn is_busy(error: &io::Error) -> bool {
    let codes = [ERROR_SEM_TIMEOUT, ERROR_PIPE_BUSY].map(u32::cast_signed);
    error.kind() == io::ErrorKind::TimedOut
        || error
            .raw_os_error()
            .is_some_and(|code| codes.contains(&code))
}
