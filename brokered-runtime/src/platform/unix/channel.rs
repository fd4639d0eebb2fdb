//! The channel: a socket pair between a launcher and the daemon that it starts. The daemon's end is its standard input.
//!
//! Before the daemon exists, the launcher sends one message: text with descriptors. The daemon answers with lines.

use std::fs::File;
use std::io::{self, Read};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;
use std::ptr;
use std::time::{Duration, Instant};

use interprocess::local_socket::Listener as IpcListener;

use super::descriptors::set_close_on_exec;
use super::fork_guard::ForkGuard;
use super::listener::{as_unix, from_unix};
use crate::platform::lines::{self, LineReader};
use crate::platform::types::{Line, ReceivedMessage};

/// The longest message: two paths, each byte of which may be escaped, and a few short fields.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// The most descriptors in a message: the lock and the listener.
const MAX_DESCRIPTORS: usize = 2;

/// Progress is no longer sent when the launcher has left this much unread, as the system counts it.
const MAX_UNREAD: libc::c_int = 32 * 1024;

/// One end of the channel.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Declared first, because it must be dropped before the descriptor that it guards.
    _fork_guard: ForkGuard,
    stream: UnixStream,
    lines: LineReader,
}

/// The daemon's end, which becomes its standard input.
#[derive(Debug)]
pub(crate) struct ChannelEnd(UnixStream);

impl From<ChannelEnd> for Stdio {
    fn from(end: ChannelEnd) -> Self {
        Stdio::from(OwnedFd::from(end.0))
    }
}

impl Channel {
    pub(crate) fn pair() -> io::Result<(Self, ChannelEnd)> {
        let (launcher, daemon) = UnixStream::pair()?;
        Ok((Self::from_stream(launcher), ChannelEnd(daemon)))
    }

    fn from_stream(stream: UnixStream) -> Self {
        Self {
            _fork_guard: ForkGuard::new(&stream),
            stream,
            lines: LineReader::default(),
        }
    }

    pub(crate) fn is_stdin(first_line: &str) -> bool {
        if !is_unix_socket(0) {
            return false;
        }
        let mut seen = vec![0_u8; first_line.len()];
        // SAFETY: the buffer is valid for writes of the length that is passed with it. Descriptor 0 is only peeked at,
        // and may be anything.
        let length = unsafe {
            libc::recv(
                0,
                seen.as_mut_ptr().cast(),
                seen.len(),
                libc::MSG_PEEK | libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(length) == Ok(seen.len()) && seen == first_line.as_bytes()
    }

    /// Standard input stays open as well.
    pub(crate) fn from_stdin() -> io::Result<Self> {
        let stdin = io::stdin();
        let copy = stdin.as_fd().try_clone_to_owned()?;
        Ok(Self::from_stream(UnixStream::from(copy)))
    }

    pub(crate) fn send(
        &self,
        text: &[u8],
        lock: Option<&File>,
        listener: Option<&IpcListener>,
    ) -> io::Result<()> {
        if text.len() > LONGEST_MESSAGE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the launch message is longer than 64 KiB",
            ));
        }
        let mut descriptors: Vec<_> = lock.map(File::as_fd).into_iter().collect();
        descriptors.extend(listener.map(|listener| as_unix(listener).as_fd()));
        send_with(self.stream.as_fd(), text, &descriptors)
    }

    /// Does not block, because the launcher sent the message before it started this process.
    pub(crate) fn receive(&self) -> io::Result<ReceivedMessage> {
        let (text, descriptors) = receive_with(self.stream.as_fd())?;
        let mut descriptors = descriptors.into_iter();
        let Some(lock) = descriptors.next() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the launch message does not carry the instance lock",
            ));
        };
        Ok(ReceivedMessage {
            text,
            lock: Some(File::from(lock)),
            listener: descriptors
                .next()
                .map(|listener| from_unix(UnixListener::from(listener))),
        })
    }

    /// The launcher may have ended, so this neither blocks nor raises `SIGPIPE`.
    pub(crate) fn send_line(&self, line: &str) -> io::Result<()> {
        let line = lines::terminated(line);
        // SAFETY: the buffer is valid for reads of its length.
        let sent = unsafe {
            libc::send(
                self.stream.as_raw_fd(),
                line.as_ptr().cast(),
                line.len(),
                libc::MSG_DONTWAIT | NO_SIGNAL,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Leaves room in the buffer of the socket for the lines that matter, such as a failure.
    pub(crate) fn try_send_line(&self, line: &str) {
        let mut unread: libc::c_int = 0;
        // SAFETY: `TIOCOUTQ` writes one integer, and `unread` is valid for that.
        let result =
            unsafe { libc::ioctl(self.stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut unread) };
        if result == 0 && unread < MAX_UNREAD {
            let _ = self.send_line(line);
        }
    }

    pub(crate) fn next_line(&mut self, deadline: Instant) -> io::Result<Line> {
        let mut stream = &self.stream;
        self.lines.next(deadline, |buffer| {
            let left = deadline.saturating_duration_since(Instant::now());
            // To the system a timeout of zero means no timeout, so no wait is shorter than a microsecond.
            stream.set_read_timeout(Some(left.max(Duration::from_micros(1))))?;
            match stream.read(buffer) {
                Ok(length) => Ok(Some(length)),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::Interrupted => Ok(None),
                    // The daemon has ended without reading the message.
                    io::ErrorKind::ConnectionReset => Ok(Some(0)),
                    _ => Err(error),
                },
            }
        })
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
/// These systems lack the flag. Rust's runtime ignores `SIGPIPE` before `main`, unless the program changes that.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const NO_SIGNAL: libc::c_int = 0;

#[cfg(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    not(brokered_portable)
))]
const RECEIVE_CLOSE_ON_EXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;
#[cfg(not(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    not(brokered_portable)
)))]
const RECEIVE_CLOSE_ON_EXEC: libc::c_int = 0;

fn is_unix_socket(descriptor: RawFd) -> bool {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    #[expect(clippy::cast_possible_truncation, reason = "128 bytes")]
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: `address` is valid for writes of `length` bytes, and zeroed storage is a valid value.
    let family = unsafe {
        if libc::getsockname(descriptor, address.as_mut_ptr().cast(), &raw mut length) != 0 {
            return false;
        }
        address.assume_init().ss_family
    };
    libc::c_int::from(family) == libc::AF_UNIX
}

/// A buffer for a control message that carries [`MAX_DESCRIPTORS`], aligned for its header.
#[repr(C)]
union ControlBuffer {
    bytes: [u8; 64],
    _header: libc::cmsghdr,
}

impl ControlBuffer {
    fn new() -> Self {
        Self { bytes: [0; 64] }
    }
}

fn descriptor_bytes(count: usize) -> libc::c_uint {
    #[expect(clippy::cast_possible_truncation, reason = "eight bytes at most")]
    let bytes = (count * size_of::<RawFd>()) as libc::c_uint;
    bytes
}

fn send_with(
    socket: BorrowedFd<'_>,
    text: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    assert!(descriptors.len() <= MAX_DESCRIPTORS);
    let payload = descriptor_bytes(descriptors.len());
    let mut part = libc::iovec {
        iov_base: text.as_ptr().cast_mut().cast(),
        iov_len: text.len(),
    };
    let mut control = ControlBuffer::new();
    // SAFETY: an all-zero `msghdr` is valid: null pointers with zero lengths.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    // SAFETY: `CMSG_SPACE` only calculates. The buffer holds 64 bytes, and two descriptors take 24. So the header that
    // `CMSG_FIRSTHDR` returns and the data after it lie within the buffer. The pointers in `message` outlive the call,
    // and `sendmsg` does not write through them.
    let sent = unsafe {
        message.msg_controllen = libc::CMSG_SPACE(payload) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(payload) as _;
        let mut data = libc::CMSG_DATA(header);
        for descriptor in descriptors {
            let number = descriptor.as_raw_fd().to_ne_bytes();
            ptr::copy_nonoverlapping(number.as_ptr(), data, number.len());
            data = data.add(number.len());
        }
        libc::sendmsg(socket.as_raw_fd(), &raw const message, NO_SIGNAL)
    };
    match usize::try_from(sent) {
        Ok(length) if length == text.len() => Ok(()),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "only a part of the launch message was sent",
        )),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Reads until the empty line that ends a message, and collects the descriptors that arrive with the text.
fn receive_with(socket: BorrowedFd<'_>) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut text = Vec::new();
    let mut descriptors = Vec::new();
    while !text.ends_with(b"\n\n") {
        if text.len() > LONGEST_MESSAGE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the launch message is longer than 64 KiB",
            ));
        }
        let length = receive_part(socket, &mut text, &mut descriptors)?;
        if length == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the launch message is not complete",
            ));
        }
    }
    Ok((text, descriptors))
}

fn receive_part(
    socket: BorrowedFd<'_>,
    text: &mut Vec<u8>,
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut buffer = [0_u8; 4096];
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut control = ControlBuffer::new();
    // SAFETY: an all-zero `msghdr` is valid: null pointers with zero lengths.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<ControlBuffer>() as _;
    // SAFETY: all pointers in `message` are valid for writes of the lengths beside them, and outlive the call.
    let length = unsafe {
        libc::recvmsg(
            socket.as_raw_fd(),
            &raw mut message,
            libc::MSG_DONTWAIT | RECEIVE_CLOSE_ON_EXEC,
        )
    };
    let Ok(length) = usize::try_from(length) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: `recvmsg` has filled `message`, and the macros walk the control buffer within `msg_controllen`. Each
    // descriptor in an `SCM_RIGHTS` message is new to this process and has no owner.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                #[allow(clippy::unnecessary_cast, reason = "a `u32` on some platforms")]
                let bytes = ((*header).cmsg_len as usize)
                    .saturating_sub(libc::CMSG_LEN(0) as usize)
                    .min(size_of::<ControlBuffer>() - libc::CMSG_LEN(0) as usize);
                let mut data = libc::CMSG_DATA(header).cast_const();
                for _ in 0..bytes / size_of::<RawFd>() {
                    let mut number = [0_u8; size_of::<RawFd>()];
                    ptr::copy_nonoverlapping(data, number.as_mut_ptr(), number.len());
                    data = data.add(number.len());
                    descriptors.push(OwnedFd::from_raw_fd(RawFd::from_ne_bytes(number)));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    if RECEIVE_CLOSE_ON_EXEC == 0 {
        for descriptor in descriptors.iter() {
            set_close_on_exec(descriptor.as_raw_fd())?;
        }
    }
    text.extend_from_slice(&buffer[..length]);
    Ok(length)
}
