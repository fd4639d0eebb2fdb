//! Sending and receiving on a client's stream without blocking, or with a deadline.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use interprocess::local_socket::Stream as IpcStream;
use interprocess::local_socket::traits::Stream as _;

pub(crate) fn set_nonblocking(stream: &IpcStream) -> io::Result<()> {
    stream.set_nonblocking(true)
}

pub(crate) fn receive_nonblocking(mut stream: &IpcStream, buffer: &mut [u8]) -> io::Result<usize> {
    stream.read(buffer)
}

pub(crate) fn send_nonblocking(mut stream: &IpcStream, bytes: &[u8]) -> io::Result<usize> {
    stream.write(bytes)
}

pub(crate) fn receive_until(
    mut stream: &IpcStream,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<usize> {
    let left = deadline.saturating_duration_since(Instant::now());
    // To the system a timeout of zero means no timeout, so no wait is shorter than a microsecond.
    stream.set_recv_timeout(Some(left.max(Duration::from_micros(1))))?;
    stream.read(buffer)
}
