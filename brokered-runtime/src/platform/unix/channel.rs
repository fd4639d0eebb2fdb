//! The launcher's channel: a socket pair whose other end is the daemon's standard input.
//!
//! The launcher sends one message, text with descriptors, before the daemon exists; the daemon
//! answers with lines.

use std::fs::File;
use std::io::{self, Read};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;
use std::ptr;
use std::time::{Duration, Instant};

use interprocess::local_socket::Listener as IpcListener;

use super::fork::ForkGuard;
use super::socket::{as_unix, from_unix};
use crate::platform::{Line, Received};

/// The longest message that is ever sent: two paths, each byte of them escaped, and some more.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// The most descriptors in a message: the lock and the listener.
const MOST_DESCRIPTORS: usize = 2;

/// How much the launcher may have left unread, as the system counts it, for it to be told of progress.
const MOST_UNREAD: libc::c_int = 32 * 1024;

/// One end of the channel.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Dropped before what it seals.
    _seal: ForkGuard,
    stream: UnixStream,
    /// What has arrived of a line that is not complete yet.
    partial: Vec<u8>,
}

/// The end that becomes the daemon's standard input.
#[derive(Debug)]
pub(crate) struct ChannelEnd(UnixStream);

impl From<ChannelEnd> for Stdio {
    fn from(end: ChannelEnd) -> Self {
        Stdio::from(OwnedFd::from(end.0))
    }
}

impl Channel {
    /// A new channel, and the end for the daemon.
    pub(crate) fn pair() -> io::Result<(Self, ChannelEnd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((Self::over(ours), ChannelEnd(theirs)))
    }

    fn over(stream: UnixStream) -> Self {
        Self {
            _seal: ForkGuard::new(&stream),
            stream,
            partial: Vec::new(),
        }
    }

    /// Whether standard input is a channel whose message begins with this line. Takes nothing out of it.
    pub(crate) fn is_stdin(first_line: &str) -> bool {
        if !is_unix_socket(0) {
            return false;
        }
        let mut seen = vec![0_u8; first_line.len()];
        // SAFETY: the buffer is valid for writes of the length that is passed with it; descriptor 0
        // is only looked at.
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

    /// Takes the channel over from standard input, which stays as it is.
    pub(crate) fn from_stdin() -> io::Result<Self> {
        let stdin = io::stdin();
        let ours = stdin.as_fd().try_clone_to_owned()?;
        Ok(Self::over(UnixStream::from(ours)))
    }

    /// Sends the message: its text, the lock, and the listener if it is handed over.
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

    /// Receives the message. Everything was sent before this process began, so nothing is waited for.
    pub(crate) fn receive(&self) -> io::Result<Received> {
        let (text, descriptors) = receive_with(self.stream.as_fd())?;
        let mut descriptors = descriptors.into_iter();
        let Some(lock) = descriptors.next() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the launch message came without the instance lock",
            ));
        };
        Ok(Received {
            text,
            lock: Some(File::from(lock)),
            listener: descriptors
                .next()
                .map(|listener| from_unix(UnixListener::from(listener))),
        })
    }

    /// Tells the launcher one line. It may be gone; that is no error of ours, so nothing is waited
    /// for and no signal is raised.
    pub(crate) fn tell(&self, line: &str) -> io::Result<()> {
        let line = format!("{}\n", line.replace('\n', " "));
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

    /// Tells the launcher one line that it can do without: nothing is sent that it might have no room for
    /// later, when it matters.
    pub(crate) fn try_send_line(&self, line: &str) {
        let mut unread: libc::c_int = 0;
        // SAFETY: `TIOCOUTQ` writes one integer, for which `unread` is valid.
        let asked =
            unsafe { libc::ioctl(self.stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut unread) };
        if asked == 0 && unread < MOST_UNREAD {
            let _ = self.tell(line);
        }
    }

    /// The next line from the daemon.
    pub(crate) fn next_line(&mut self, deadline: Instant) -> io::Result<Line> {
        loop {
            if let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.partial.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line[..end]).into_owned();
                return Ok(Line::Text(text));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Line::TimedOut);
            }
            // A zero time-out means none at all to the system, so no wait is shorter than this.
            self.stream
                .set_read_timeout(Some(left.max(Duration::from_micros(1))))?;
            let mut buffer = [0_u8; 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(Line::End),
                Ok(length) => self.partial.extend_from_slice(&buffer[..length]),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::Interrupted => {}
                    // The daemon died with our message unread.
                    io::ErrorKind::ConnectionReset => return Ok(Line::End),
                    _ => return Err(error),
                },
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
/// `main` of a Rust program runs with `SIGPIPE` ignored; this only spares programs that changed that.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const NO_SIGNAL: libc::c_int = 0;

#[cfg(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    not(brokered_portable)
))]
const RECEIVE_SEALED: libc::c_int = libc::MSG_CMSG_CLOEXEC;
#[cfg(not(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    not(brokered_portable)
)))]
const RECEIVE_SEALED: libc::c_int = 0;

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

/// Room for a control message that carries [`MOST_DESCRIPTORS`], aligned as its header wants it.
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
    assert!(descriptors.len() <= MOST_DESCRIPTORS);
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
    // SAFETY: `CMSG_SPACE` only calculates. The buffer holds 64 bytes, and two descriptors take 24,
    // so the header that `CMSG_FIRSTHDR` gives and the data behind it lie within it. The pointers in
    // `message` outlive the call, and `sendmsg` does not write through them.
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
            "the launch message was sent in part only",
        )),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Reads until the empty line that ends a message, and collects the descriptors on the way.
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
                "the launch message ends in its middle",
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
    // SAFETY: all pointers in `message` are valid for writes of the lengths beside them, and outlive
    // the call.
    let length = unsafe {
        libc::recvmsg(
            socket.as_raw_fd(),
            &raw mut message,
            libc::MSG_DONTWAIT | RECEIVE_SEALED,
        )
    };
    let Ok(length) = usize::try_from(length) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: `recvmsg` has filled in `message`; the macros walk the control buffer within
    // `msg_controllen`. Each descriptor in an `SCM_RIGHTS` message is new to this process and owned by
    // nobody else.
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
    if RECEIVE_SEALED == 0 {
        for descriptor in descriptors.iter() {
            seal(descriptor.as_fd())?;
        }
    }
    text.extend_from_slice(&buffer[..length]);
    Ok(length)
}

/// Sets close-on-exec.
fn seal(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: `fcntl` with `F_SETFD` takes an integer and touches no memory of ours.
    if unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
