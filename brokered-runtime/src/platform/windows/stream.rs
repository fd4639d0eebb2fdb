//! Sending and receiving on a client's stream without blocking, or with a deadline.

use std::io;
use std::time::Instant;

use interprocess::local_socket::Stream as IpcStream;

use super::overlapped;
use super::pipe::handle_of;

/// An overlapped pipe needs no preparation.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the signature is the same on every platform"
)]
pub(crate) fn set_nonblocking(_stream: &IpcStream) -> io::Result<()> {
    Ok(())
}

pub(crate) fn receive_nonblocking(stream: &IpcStream, buffer: &mut [u8]) -> io::Result<usize> {
    overlapped::read(handle_of(stream), buffer, overlapped::no_wait())?
        .ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

pub(crate) fn send_nonblocking(stream: &IpcStream, bytes: &[u8]) -> io::Result<usize> {
    overlapped::write(handle_of(stream), bytes, overlapped::no_wait())
}

pub(crate) fn receive_until(
    stream: &IpcStream,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<usize> {
    overlapped::read(handle_of(stream), buffer, Some(deadline))?
        .ok_or_else(|| io::ErrorKind::WouldBlock.into())
}
