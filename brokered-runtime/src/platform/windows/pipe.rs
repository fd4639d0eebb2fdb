//! Named pipes: their creation, their names, and their handles.

use std::io;
#[cfg(feature = "tokio")]
use std::os::windows::io::OwnedHandle;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};
use std::path::{Path, PathBuf};

use interprocess::local_socket::Stream as IpcStream;
use interprocess::os::windows::named_pipe::{
    DuplexPipeStream, PipeListener, PipeListenerOptions, pipe_mode::Bytes,
};
use windows_sys::Win32::System::Pipes::{GetNamedPipeClientProcessId, GetNamedPipeServerProcessId};

use super::ffi::check;
use super::files::endpoint_path;
use super::security_descriptor::SecurityDescriptor;
use crate::nonce::new_nonce;

/// The size of a pipe's buffer in each direction. A local socket of `interprocess` always has 512 bytes.
const BUFFER_SIZE: u32 = 64 * 1024;

/// Creates the first instance of a pipe, for this user alone, and not for other machines.
pub(super) fn create_pipe(path: &Path) -> io::Result<PipeListener<Bytes, Bytes>> {
    PipeListenerOptions::new()
        .path(path)
        .input_buffer_size_hint(BUFFER_SIZE)
        .output_buffer_size_hint(BUFFER_SIZE)
        .security_descriptor(Some(
            SecurityDescriptor::for_this_user()?.to_interprocess()?,
        ))
        .create_duplex()
}

/// The name of a new pipe that no other process can guess.
pub(super) fn secret_pipe_name(purpose: &str) -> PathBuf {
    let nonce = new_nonce();
    endpoint_path(Path::new(&format!(r"{purpose}\{nonce}")), "socket")
}

pub(super) fn from_pipe(stream: DuplexPipeStream<Bytes>) -> IpcStream {
    IpcStream::NamedPipe(stream.into())
}

pub(super) fn handle_of(stream: &IpcStream) -> BorrowedHandle<'_> {
    let IpcStream::NamedPipe(stream) = stream;
    stream.as_handle()
}

/// Takes the handle out of a stream that was not split.
#[cfg(feature = "tokio")]
pub(super) fn into_handle(stream: IpcStream) -> OwnedHandle {
    let IpcStream::NamedPipe(stream) = stream;
    stream.into()
}

/// The process at the server end of a pipe.
pub(super) fn server_process(stream: &IpcStream) -> Option<u32> {
    let mut process = 0;
    // SAFETY: the handle is open while it is borrowed, and `process` is valid for writes.
    check(unsafe {
        GetNamedPipeServerProcessId(handle_of(stream).as_raw_handle(), &raw mut process)
    })
    .ok()?;
    Some(process)
}

/// Whether this process is also the client.
pub(super) fn is_client_this_process(stream: &IpcStream) -> bool {
    let mut process = 0;
    // SAFETY: as in `server_process`.
    let result = check(unsafe {
        GetNamedPipeClientProcessId(handle_of(stream).as_raw_handle(), &raw mut process)
    });
    result.is_ok() && process == std::process::id()
}
