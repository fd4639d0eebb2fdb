//! Binding. A pipe cannot be passed to another process, so the other functions are unsupported.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use interprocess::local_socket::{
    GenericFilePath, Listener as IpcListener, ListenerOptions, ToFsName,
};
use interprocess::os::windows::named_pipe::{PipeListener, pipe_mode::Bytes};

use super::connect::connect;
use super::pipe::{create_pipe, secret_pipe_name, server_process};

pub(crate) const CAN_PASS_LISTENERS: bool = false;

/// A lock on a file belongs to the process that has taken it.
pub(crate) const CAN_PASS_LOCKS: bool = false;

pub(crate) const MESSAGES_KEEP_DESCRIPTORS_OPEN: bool = false;

/// How long [`bind`] waits for the pipe of a process that has ended. A connected instance outlives its server until its
/// client closes it.
const BIND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long connecting to a pipe may take, to find out which process serves it.
const PROBE_TIMEOUT: Duration = Duration::from_millis(20);

/// The pause between two attempts to bind.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// For this user alone, and not for other machines.
pub(crate) fn bind(path: &Path) -> io::Result<IpcListener> {
    let deadline = Instant::now() + BIND_TIMEOUT;
    loop {
        match create_pipe(path) {
            Ok(pipe) => return into_local_socket(pipe),
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            // The caller holds the instance lock. So the pipe belongs to a daemon that has ended, or to a process that
            // uses the name without the lock.
            Err(error) if Instant::now() >= deadline => return Err(name_taken(path, error)),
            Err(_) => thread::sleep(RETRY_PAUSE),
        }
    }
}

/// `interprocess` cannot turn a pipe into a local socket. So it creates a local socket with a secret name, whose pipe
/// is then replaced.
fn into_local_socket(pipe: PipeListener<Bytes, Bytes>) -> io::Result<IpcListener> {
    let name = secret_pipe_name("wrapped");
    let name = name.to_fs_name::<GenericFilePath>()?;
    let mut listener = ListenerOptions::new().name(name).create_sync()?;
    let IpcListener::NamedPipe(inner) = &mut listener;
    *inner.as_mut() = pipe;
    Ok(listener)
}

/// Adds to the error which process serves the pipe.
fn name_taken(path: &Path, error: io::Error) -> io::Error {
    let server = connect(path, Instant::now() + PROBE_TIMEOUT)
        .ok()
        .and_then(|stream| server_process(&stream));
    match server {
        Some(process) => io::Error::new(
            error.kind(),
            format!("{error}: process {process} serves this pipe without holding the lock"),
        ),
        None => error,
    }
}

pub(crate) fn listen_again(_listener: &IpcListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn listens_at(_listener: &IpcListener, _path: &Path) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}
