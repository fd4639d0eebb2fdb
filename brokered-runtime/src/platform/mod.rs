//! The platform layer: the only code that calls the operating system, and the only code with `unsafe`.
//!
//! It knows files, sockets and processes, but no daemons, and it imports nothing from the folders of this crate.
//!
//! `unix` and `windows` have files of the same names for the same things. This file states the contract that both
//! fulfil, one section for each file. `pub(crate) use` lists what the file provides. Each `const _` gives the signature
//! of a function, and its comment gives the purpose, the guarantee, the errors, and what differs between platforms. So
//! a function that is missing, or has another signature, is a compile error here that names it. The comment on the item
//! itself only says what is special on that platform.
//!
//! Read this file first, then `types.rs`, then the file of the platform that concerns you. `lines.rs` is what the two
//! platforms share.
//!
//! Three promises hold for all functions. `io::Error` is the error of the system unless the comment names another one.
//! A deadline covers the whole call. Every new descriptor is close-on-exec, and every new handle is not inheritable.

mod lines;
mod types;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
#[cfg(feature = "testing")]
use std::process::Child as StdChild;
use std::process::{Command, ExitStatus};
#[cfg(feature = "tokio")]
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use interprocess::local_socket::{Listener as IpcListener, Stream as IpcStream};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(crate) use types::{
    AcceptError, Access, AccessFault, DirectoryFault, DirectoryMatch, Halt, Line, PathOccupant,
    PollResult, ProcessActivity, ReceivedMessage, RenameOutcome, WakeReason,
};

// ---- `files.rs`: private directories, locks, files, and the paths of endpoints ----

#[cfg(feature = "testing")]
pub(crate) use system::files::create_new_directory;
pub(crate) use system::files::{
    FileIdentity, canonicalize, check_directory, create_directory, default_runtime_directory,
    endpoint_path, fallback_directory, file_identity, fits_endpoint, foreign_session_directory,
    is_file_at, is_lock_at, open_append, open_append_anything, open_launch_lock, open_lock,
    open_read_append, open_regular, open_regular_or_link, path_bytes, path_from_bytes,
    path_occupant, release_lock, replace_file, write_all,
};

/// The runtime directory if `BROKERED_RUNTIME_DIR` is not set. Only the presence of variables and directories decides,
/// so that daemon and client choose the same one. Only Windows can fail: `NotFound` if the user has no profile.
const _: fn() -> io::Result<PathBuf> = default_runtime_directory;
/// The directory for instances whose own path is too long for a socket. Windows never needs it.
const _: fn() -> PathBuf = fallback_directory;
/// The endpoint with this name of the instance in this directory. On Unix it is a path in that directory, and on
/// Windows the name of a pipe, which differs for each user.
const _: fn(instance: &Path, name: &str) -> PathBuf = endpoint_path;
/// Whether an endpoint at this path can be bound. Always true on Windows.
const _: fn(&Path) -> bool = fits_endpoint;
/// Creates a directory and its missing parents, all private to the effective user. It is not an error if the directory
/// exists.
const _: fn(&Path) -> io::Result<()> = create_directory;
/// The directory of another user's session, if a directory is to be created in it: `XDG_RUNTIME_DIR`, which `su` and
/// `sudo` can keep. A directory of root there would lock the other user out. Always `None` on Windows.
const _: fn(&Path) -> Option<(PathBuf, DirectoryFault)> = foreign_session_directory;
/// Creates one private directory. `AlreadyExists` if there is one.
#[cfg(feature = "testing")]
const _: fn(&Path) -> io::Result<()> = create_new_directory;
/// Why a directory is not private to the effective user. `None` if it is. Windows checks the owner and not the
/// permissions.
const _: fn(&Path) -> io::Result<Option<DirectoryFault>> = check_directory;
/// The path of a directory without symbolic links.
const _: fn(&Path) -> io::Result<PathBuf> = canonicalize;
/// Opens the file that the instance lock of this directory is on. On Unix that is the directory itself, and on Windows
/// the file `lock` in it.
const _: fn(directory: &Path) -> io::Result<File> = open_lock;
/// Opens the file that the launch lock is on. `None` on Unix, which needs no launch lock.
const _: fn(directory: &Path) -> io::Result<Option<File>> = open_launch_lock;
/// Prepares a lock file for being closed, which releases the lock unless another process has it, too.
const _: fn(&File) = release_lock;
/// Whether an open lock file is still the one of this directory. False if the directory does not exist any more.
const _: fn(lock: &File, directory: &Path) -> io::Result<bool> = is_lock_at;
/// Whether an open file is still the one at this path. A symbolic link is no file of its own on Unix: false.
const _: fn(open: &File, &Path) -> io::Result<bool> = is_file_at;
/// The identity of the file at this path. `None` if there is none. Always `None` on Windows, where it is only used for
/// endpoints, and a pipe has no file.
const _: fn(&Path) -> io::Result<Option<FileIdentity>> = file_identity;
/// What is at the path of an endpoint. Always `Nothing` on Windows.
const _: fn(&Path) -> io::Result<PathOccupant> = path_occupant;
/// Replaces a file atomically, by way of a temporary file beside it: a reader sees the old or the new contents. After
/// an error the old file is unchanged. Whatever is at either path is replaced and never opened; a directory is an error.
/// `FileTooLarge` at the limit of the size of files.
const _: fn(&Path, temporary: &Path, contents: &[u8]) -> io::Result<()> = replace_file;
/// Writes to an open file. On Unix, a limit of the size of files is the error `FileTooLarge`, and not a signal that
/// ends the process.
const _: fn(&mut File, contents: &[u8]) -> io::Result<()> = write_all;
/// Opens a file for reading, and never waits. `InvalidInput` if it is not a regular file: on Unix, a symbolic link is not.
const _: fn(&Path) -> io::Result<File> = open_regular;
/// The same, but a symbolic link may lead to the regular file.
const _: fn(&Path) -> io::Result<File> = open_regular_or_link;
/// Opens a file for appending, creates it if it is missing, and never waits. `InvalidInput` if it is not a regular file:
/// on Unix, a symbolic link is not. There, a file that has another name as well is replaced by a new one, so that no file
/// elsewhere changes.
const _: fn(&Path) -> io::Result<File> = open_append;
/// Opens for appending whatever a user has chosen: also a device, a pipe that a process reads, and what a symbolic link
/// leads to. Never waits for the reader of a pipe, which is `InvalidInput` if it has none.
const _: fn(&Path) -> io::Result<File> = open_append_anything;
/// Like [`open_append`], but the file can be read, too.
const _: fn(&Path) -> io::Result<File> = open_read_append;
/// The bytes that stand for a path in a hash, a record or a message.
const _: fn(&Path) -> &[u8] = path_bytes;
/// The inverse of [`path_bytes`]. `None` on Windows if the bytes are not valid Unicode.
const _: fn(Vec<u8>) -> Option<PathBuf> = path_from_bytes;

// ---- `directory_identity.rs`: whether a directory is still the same one ----

pub(crate) use system::directory_identity::{DirectoryIdentity, directory_identity};

/// The identity of what is at this path. Symbolic links are not followed. `None` if nothing is there. Blocks for as long
/// as the file system does not answer. Nothing stays open, so that the directory can be removed and unmounted.
const _: fn(&Path) -> io::Result<Option<DirectoryIdentity>> = directory_identity;
/// Whether both are on one file system, by one mount. On Unix systems other than Linux, by the device number alone.
const _: fn(&DirectoryIdentity, &DirectoryIdentity) -> bool =
    DirectoryIdentity::is_on_file_system_of;
/// How what is at the path now compares with what was there before. Never `Unknown` on Windows.
const _: fn(&DirectoryIdentity, now: &DirectoryIdentity, &Path) -> DirectoryMatch =
    DirectoryIdentity::compare;

// ---- `file_size.rs`: the limit of the size of files ----

pub(crate) use system::file_size::survive_file_size_limit;

/// From now on, a write beyond the limit of the size of files is an error, and does not end the process. Programs that
/// this process starts are not affected. Does nothing on Windows.
const _: fn() = survive_file_size_limit;

// ---- `access.rs`: why an access is refused ----

#[cfg(feature = "operator")]
pub(crate) use system::access::check_entry;
pub(crate) use system::access::{access_fault, is_about_permissions};

/// Why the system has refused an access to this path with this error, which is `PermissionDenied`. It asks the system
/// again, from the root directory to the path. Always `Unknown` on Windows.
const _: fn(&io::Error, &Path, Access) -> AccessFault = access_fault;
/// Whether the error is the one for missing permissions. A call that is refused for another reason may have another one.
/// Always `false` on Windows.
const _: fn(&io::Error) -> bool = is_about_permissions;
/// Whether entries can be created in this directory, as far as the system says so without an attempt. Not all sandboxes
/// show in the answer. Windows is not asked.
#[cfg(feature = "operator")]
const _: fn(directory: &Path) -> io::Result<()> = check_entry;

// ---- `listener.rs`: binding, and adopting a listener ----

pub(crate) use system::listener::{
    CAN_PASS_LISTENERS, CAN_PASS_LOCKS, MESSAGES_KEEP_DESCRIPTORS_OPEN, bind, listen_again,
    listens_at,
};

/// Whether a launcher can bind and pass the listener to the daemon. If not, the daemon binds itself. Linux only.
const _: bool = CAN_PASS_LISTENERS;
/// Whether a launcher can pass the instance lock to the daemon. If not, the daemon takes it itself. Unix only.
const _: bool = CAN_PASS_LOCKS;
/// Whether a descriptor in a message stays open after its sender has closed it. If not, the sender keeps it open until
/// the message was received. Linux only.
const _: bool = MESSAGES_KEEP_DESCRIPTORS_OPEN;
/// Binds and listens, with the largest backlog that the system allows. `AddrInUse` on Unix if the path is occupied. On
/// Windows `PermissionDenied`, after a wait, if another process serves the pipe.
const _: fn(&Path) -> io::Result<IpcListener> = bind;
/// Listens again on an adopted listener, so that peer credentials and backlog are those of this process. `Unsupported`
/// on Windows.
const _: fn(&IpcListener) -> io::Result<()> = listen_again;
/// Whether a listener is bound to this path. `Unsupported` on Windows.
const _: fn(&IpcListener, &Path) -> io::Result<bool> = listens_at;

// ---- `connect.rs`: connecting ----

pub(crate) use system::connect::connect;

/// Connects, and waits for room in the backlog until the deadline. `NotFound` and `ConnectionRefused` mean that no
/// process listens, and `WouldBlock` that the backlog was full until the deadline. The stream is blocking.
const _: fn(&Path, deadline: Instant) -> io::Result<IpcStream> = connect;

// ---- `stream.rs`: receiving and sending without blocking, or with a deadline ----

pub(crate) use system::stream::{
    receive_nonblocking, receive_until, send_nonblocking, set_nonblocking,
};

/// Prepares a stream for [`receive_nonblocking`] and [`send_nonblocking`].
const _: fn(&IpcStream) -> io::Result<()> = set_nonblocking;
/// Receives what has arrived. `WouldBlock` if nothing has, and 0 at the end of the stream.
const _: fn(&IpcStream, &mut [u8]) -> io::Result<usize> = receive_nonblocking;
/// Sends as much as fits in the buffer of the connection, and returns how much that was.
const _: fn(&IpcStream, &[u8]) -> io::Result<usize> = send_nonblocking;
/// Receives, and waits for bytes until the deadline. `WouldBlock`, `TimedOut` or `Interrupted` if none have arrived.
const _: fn(&IpcStream, &mut [u8], deadline: Instant) -> io::Result<usize> = receive_until;

// ---- `peer.rs`: peer credentials ----

pub(crate) use system::peer::foreign_peer;
#[cfg(feature = "operator")]
pub(crate) use system::peer::listening_process;

/// The peer's user, if that is a foreign user. On Windows the number is the last part of the user's SID, and of a
/// client the owner of the pipe is reported, because no other user can connect.
///
/// In a Linux user namespace, all users without a number there have the same one. If this process has it, too, the peer
/// counts as foreign unless this process's user owns the directory of the endpoint, which a client passes.
const _: fn(&IpcStream, directory: Option<&Path>) -> io::Result<Option<u32>> = foreign_peer;
/// The process that listens on the endpoint of a client's connection. `None` if the system does not report it.
#[cfg(feature = "operator")]
const _: fn(&IpcStream) -> Option<u32> = listening_process;

// ---- `accept.rs`: accepting clients, and ending that ----

pub(crate) use system::accept::{
    AcceptQueue, AcceptWaker, accept, accept_error, into_listener, start_accept_queue,
    start_nonblocking_queue,
};

/// The source of clients for a bound listener. On Unix it is the listener, whose backlog the system keeps. On Windows
/// this starts a thread that accepts from now on.
const _: fn(IpcListener, &Path) -> io::Result<AcceptQueue> = start_accept_queue;
/// The same, but [`accept`] does not block: for a thread that also waits for other sources.
const _: fn(IpcListener, &Path) -> io::Result<AcceptQueue> = start_nonblocking_queue;
/// Takes the listener out of a queue. On Windows the clients in the queue lose their connections.
const _: fn(AcceptQueue) -> IpcListener = into_listener;
/// The next client. The stream is blocking. `WouldBlock` if a non-blocking queue is empty.
const _: fn(&AcceptQueue) -> io::Result<IpcStream> = accept;
/// What to do after an error of [`accept`] or [`AcceptWaker::accept`].
const _: fn(&io::Error) -> AcceptError = accept_error;
/// Whether new clients are refused from [`AcceptWaker::stop_accepting`] on. If not, the endpoint must be removed first. Linux and
/// Windows.
const _: bool = AcceptWaker::REFUSES_NEW_CLIENTS;
/// A waker for the queue of the listener that is bound to this path.
const _: fn(&AcceptQueue, &Path) -> io::Result<AcceptWaker> = AcceptWaker::new;
/// A waker for a listener that another process has as well, and continues to use.
const _: fn(&AcceptQueue, &Path) -> io::Result<AcceptWaker> = AcceptWaker::for_shared;
/// Tells the waker that the user's code accepts on the listener, without [`AcceptWaker::accept`].
const _: fn(&AcceptWaker) = AcceptWaker::set_user_accepts;
/// Whether [`AcceptWaker::stop_accepting`] connects to the endpoint, so that the path must still exist then.
const _: fn(&AcceptWaker) -> bool = AcceptWaker::connects_to_wake;
/// The next client. Blocks until there is one. After [`AcceptWaker::stop_accepting`] it returns the clients in the backlog, and
/// then an error for which [`accept_error`] returns `ShutDown`. With a shared listener those in the backlog are left to
/// the other process.
const _: fn(&AcceptWaker, &AcceptQueue) -> io::Result<IpcStream> = AcceptWaker::accept;
/// Ends accepting, and wakes all threads that are blocked in it.
const _: fn(&AcceptWaker) -> io::Result<()> = AcceptWaker::stop_accepting;

// ---- `accepted_connections.rs`: quiet connections ----

pub(crate) use system::accepted_connections::AcceptedConnections;

/// The connections that this process has accepted on the socket at this path.
const _: fn(&Path) -> AcceptedConnections = AcceptedConnections::on;
/// Takes a sample, and shuts down the reading side of connections that were quiet in several samples in a row. Does
/// nothing on Windows.
const _: fn(&mut AcceptedConnections) = AcceptedConnections::shut_down_quiet;

// ---- `descriptor_reserve.rs`: descriptors for the time when no other one is free ----

pub(crate) use system::descriptor_reserve::{
    ReservedDescriptor, is_out_of_descriptors, open_descriptors, wait_for_client,
};

/// Opens a descriptor that is good for nothing. Dropping it makes room for another one. Does nothing on Windows, whose
/// limit of handles a process does not reach.
const _: fn() -> io::Result<ReservedDescriptor> = ReservedDescriptor::open;
/// Whether an error means that the process or the system has no free descriptor. Always false on Windows.
const _: fn(&io::Error) -> bool = is_out_of_descriptors;
/// Waits until [`accept`] has something to return, at most for the timeout, and returns whether it has. Needs no
/// descriptor. Windows does not wait.
const _: fn(&AcceptQueue, timeout: Duration) -> bool = wait_for_client;
/// How many descriptors this process has open. `None` if the system does not report it: on the BSDs and Windows, and
/// without a free descriptor on macOS and on Linux before version 6.2.
const _: fn() -> Option<u64> = open_descriptors;

// ---- `tokio.rs`: listeners and streams in tokio, each to be called within a runtime ----

#[cfg(feature = "tokio")]
pub(crate) use system::tokio::{AsyncListener, AsyncStream, StreamProbe, into_tokio};

/// The same connection as a stream of tokio.
#[cfg(feature = "tokio")]
const _: fn(IpcStream) -> io::Result<interprocess::local_socket::tokio::Stream> = into_tokio;
/// A listener in tokio.
#[cfg(feature = "tokio")]
const _: fn(AcceptQueue) -> io::Result<AsyncListener> = AsyncListener::new;
/// The next client.
#[cfg(feature = "tokio")]
const _: fn(&AsyncListener, &mut Context<'_>) -> Poll<io::Result<AsyncStream>> =
    AsyncListener::poll_accept;
/// [`wait_for_client`] for this listener, on any thread.
#[cfg(feature = "tokio")]
const _: fn(&AsyncListener) -> types::ClientWait = AsyncListener::client_wait;
/// The next client in the backlog. `WouldBlock` if there is none.
#[cfg(feature = "tokio")]
const _: fn(&AsyncListener) -> io::Result<AsyncStream> = AsyncListener::accept_queued;

/// What another thread can ask about a stream. It must not be asked once the stream is closed.
#[cfg(feature = "tokio")]
const _: fn(&AsyncStream) -> StreamProbe = StreamProbe::of;
/// Whether bytes have arrived that were not read. Always false on Windows, where tokio reads ahead.
#[cfg(feature = "tokio")]
const _: fn(&StreamProbe) -> bool = StreamProbe::has_unread;
/// Shuts down the reading side. The stream's reader gets the bytes that have arrived, then the end of the stream. Does
/// nothing on Windows.
#[cfg(feature = "tokio")]
const _: fn(&StreamProbe) = StreamProbe::shut_down_reading;

// ---- `poll.rs`: waiting for signals and more ----

pub(crate) use system::poll::{PollSource, PollWaker, SignalPoller};

/// Handles the signals that ask this process to stop: `SIGTERM` and `SIGINT` on Unix, console control events on
/// Windows. Also `SIGHUP` on Unix. To be called once.
const _: fn() -> io::Result<(SignalPoller, PollWaker)> = SignalPoller::install;
/// Waits for a signal, for [`PollWaker::wake`], for the deadline, or until a source is ready. Only the supervisor
/// thread calls this.
const _: fn(&mut SignalPoller, &[PollSource<'_>], Option<Instant>) -> io::Result<PollResult> =
    SignalPoller::poll;
/// Wakes the thread that waits, now or at its next call.
const _: fn(&PollWaker) = PollWaker::wake;
/// The sources: a client can be accepted, bytes can be read, and the peer has closed the connection.
const _: fn(&'static AcceptQueue) -> PollSource<'static> = PollSource::Listener;
const _: fn(&'static IpcStream) -> PollSource<'static> = PollSource::Readable;
const _: fn(&'static IpcStream) -> PollSource<'static> = PollSource::HangUp;

// ---- `channel.rs`: the channel between a launcher and its daemon ----

pub(crate) use system::channel::{Channel, ChannelEnd};

/// A new channel: the launcher's end, and the end that becomes the daemon's standard input.
const _: fn() -> io::Result<(Channel, ChannelEnd)> = Channel::pair;
/// Whether standard input is a channel with a message that begins with this line. Leaves the message unread.
const _: fn(first_line: &str) -> bool = Channel::is_stdin;
/// The daemon's end of the channel on standard input.
const _: fn() -> io::Result<Channel> = Channel::from_stdin;
/// Sends the message: its text, the lock, and the listener if it is passed. Windows sends the text alone.
/// `InvalidInput` if the text is too long.
#[allow(clippy::type_complexity, reason = "it is the signature of a function")]
const _: fn(&Channel, &[u8], Option<&File>, Option<&IpcListener>) -> io::Result<()> = Channel::send;
/// Receives the message, without blocking. `UnexpectedEof` or `InvalidData` if it is not complete.
const _: fn(&Channel) -> io::Result<ReceivedMessage> = Channel::receive;
/// Sends one line to the launcher, without blocking.
const _: fn(&Channel, &str) -> io::Result<()> = Channel::send_line;
/// Sends a line that the launcher can do without. It is dropped if the launcher does not read.
const _: fn(&Channel, &str) = Channel::try_send_line;
/// The next line from the daemon.
const _: fn(&mut Channel, deadline: Instant) -> io::Result<Line> = Channel::next_line;

// ---- `spawn.rs`: starting programs ----

pub(crate) use system::spawn::{Child, set_arg0, spawn_detached};
#[cfg(feature = "testing")]
pub(crate) use system::spawn::{allow_stop_request, request_stop};

/// Sets the name that process lists show. Has no effect on Windows.
const _: fn(&mut Command, &OsStr) = set_arg0;
/// Starts a program whose standard input is the channel and whose output goes to the file. Signals of the caller's
/// terminal do not reach it. `clears_environment` must be true exactly if `Command::env_clear` was called, which
/// Windows cannot find out.
const _: fn(
    &mut Command,
    clears_environment: bool,
    ChannelEnd,
    output: &File,
) -> io::Result<Child> = spawn_detached;
/// The ID of a child process.
const _: fn(&Child) -> u32 = Child::id;
/// The exit status of a child process, and `None` while it runs. Reaps it.
const _: fn(&mut Child) -> io::Result<Option<ExitStatus>> = Child::try_wait;
/// Prepares a command so that [`request_stop`] works for its process.
#[cfg(feature = "testing")]
const _: fn(&mut Command) = allow_stop_request;
/// Asks a child process to stop: `SIGTERM` on Unix, `^Break` on Windows.
#[cfg(feature = "testing")]
const _: fn(&StdChild) -> io::Result<()> = request_stop;

// ---- `process.rs`: this process ----

#[cfg(feature = "fault-injection")]
pub(crate) use system::process::kill_this_process;
pub(crate) use system::process::{
    close_inherited_descriptors, current_executable, detach_terminal, end_process, exec,
    main_stack_size, open_files_limit, redirect_stdin_to_null, remove_environment_variables,
    reset_signals,
};

/// Closes all descriptors that a launched process has inherited, except the standard ones. Only for a process in which
/// no code of the daemon has run. On Windows only the standard handles are inherited, and this keeps them from
/// children.
const _: fn() = close_inherited_descriptors;
/// Undoes what the starter has set: ignored signals and the signal mask.
const _: fn() = reset_signals;
/// Detaches this process from the starter's terminal. Does nothing on Windows.
const _: fn() = detach_terminal;
/// Replaces standard input with the null device.
const _: fn() -> io::Result<()> = redirect_stdin_to_null;
/// Removes variables from the environment, if that is safe. On Unix it is not if there may be a second thread.
const _: fn(&[&str]) = remove_environment_variables;
/// The program that starts this executable again. On Linux it works even after the file was replaced.
const _: fn() -> io::Result<PathBuf> = current_executable;
/// Runs another program in the place of this process. Returns only if that failed. On Windows this process waits for
/// the program, and ends with its exit code.
const _: fn(&mut Command) -> io::Error = exec;
/// How many bytes the stack of the main thread can have, within limits that make sense for another thread, too. On
/// Windows a number that is larger than the linker's default.
const _: fn() -> usize = main_stack_size;
/// Ends this process. On Unix neither destructors nor exit handlers run.
const _: fn(exit_code: u8) -> ! = end_process;
/// Ends this process as a `SIGKILL` from another process does.
#[cfg(feature = "fault-injection")]
const _: fn() -> ! = kill_this_process;
/// The number of files that this process may have open. `None` without a limit.
const _: fn() -> Option<u64> = open_files_limit;

// ---- `terminal.rs`: the controlling terminal ----

pub(crate) use system::terminal::{has_controlling_terminal, replace_lost_terminal};

/// Whether this process has a controlling terminal, whose end sends it `SIGHUP`. Always false on Windows.
const _: fn() -> bool = has_controlling_terminal;
/// Replaces the standard streams that are a terminal which has hung up with the null device. A write to such a terminal
/// fails, and `println!` panics then. Does nothing on Windows.
const _: fn() = replace_lost_terminal;

// ---- `output.rs`: the files that standard output and standard error are open on ----

pub(crate) use system::output::{
    OutputFile, is_stderr_regular_file, open_output, output_files, redirect_outputs,
    regular_file_at, rename_open_file,
};

/// The regular files that standard output and standard error are open on. `None` for anything else, and always on
/// Windows, where the files of a running process cannot be replaced safely.
const _: fn() -> [Option<OutputFile>; 2] = output_files;
/// Whether both are the same file, whatever its size was.
const _: fn(&OutputFile, &OutputFile) -> bool = OutputFile::is_same_file;
/// Whether standard error is open on a regular file.
const _: fn() -> bool = is_stderr_regular_file;
/// The regular file at this path. `None` if there is nothing or something else, such as a symbolic link. `Unsupported`
/// on Windows.
const _: fn(&Path) -> io::Result<Option<OutputFile>> = regular_file_at;
/// Opens the file that continues another one, for appending, and creates it if it is missing. `InvalidInput` if it is
/// not a regular file, and `PermissionDenied` if it belongs neither to this user nor to the owner of the file before.
/// `Unsupported` on Windows.
const _: fn(&Path, before: &OutputFile) -> io::Result<(File, OutputFile)> = open_output;
/// Renames the file at this path, if it is the one that is open. On Unix at most one process does so at a time.
const _: fn(open: &File, &Path, to: &Path) -> io::Result<RenameOutcome> = rename_open_file;
/// Continues standard output and standard error in another file, each of them only if it is open on one of the files
/// before. `Unsupported` on Windows.
const _: fn(before: &[OutputFile], &File) -> io::Result<()> = redirect_outputs;

// ---- `other_process.rs`: other processes ----

pub(crate) use system::other_process::{OtherProcess, kill_child};

/// A reference to the process that has this ID now. `Unsupported` on Unix systems other than Linux.
const _: fn(pid: u32) -> io::Result<OtherProcess> = OtherProcess::open;
/// Why this is not the process that had the ID at a time on the boot time clock, and that has a directory open. `None`
/// if it is. Windows does not check the directory.
const _: fn(&OtherProcess, Option<Duration>, open_directory: &Path) -> Option<String> =
    OtherProcess::identity_mismatch;
/// Asks the process to stop, with `SIGTERM`. `Unsupported` on Windows.
const _: fn(&OtherProcess) -> io::Result<()> = OtherProcess::terminate;
/// Ends the process at once, with `SIGKILL`. `Unsupported` on Windows.
#[cfg(feature = "operator")]
const _: fn(&OtherProcess) -> io::Result<()> = OtherProcess::kill;
/// Waits for the end of the process until the deadline. Returns whether it has ended.
const _: fn(&OtherProcess, deadline: Instant) -> io::Result<bool> = OtherProcess::wait;
/// Kills a child of this process, which was not reaped. On Linux `NotFound` if the process is not a child, and on other
/// Unix systems always `Unsupported`.
const _: fn(pid: u32) -> io::Result<()> = kill_child;

// ---- `clock.rs`, `process_age.rs`, `process_activity.rs`, `process_halt.rs`: time and activity ----

pub(crate) use system::clock::{boot_id, monotonic_time, uptime};
pub(crate) use system::process_activity::{process_activity, thread_count};
pub(crate) use system::process_age::process_age_at;
pub(crate) use system::process_halt::process_halt;

/// The boot time clock: the time since boot, with the time in which the machine slept. It cannot be set.
const _: fn() -> Duration = uptime;
/// The monotonic clock of service manager notifications, which stands still while the machine sleeps. On Windows, which
/// has no such service manager, it is the boot time clock.
const _: fn() -> Duration = monotonic_time;
/// A text that differs for each boot of the machine. Empty if the system has none. Linux only.
const _: fn() -> String = boot_id;
/// How old this process was at a time on the boot time clock. `None` if the system does not report it. Linux and
/// Windows.
const _: fn(Duration) -> Option<Duration> = process_age_at;
/// A sample of what a process is doing. `None` if the system does not report it, or the process does not exist. Linux
/// only.
const _: fn(pid: u32) -> Option<ProcessActivity> = process_activity;
/// What keeps a process from running. `None` if nothing does, or the system does not report it. Linux only.
const _: fn(pid: u32) -> Option<Halt> = process_halt;
/// The number of threads of this process. `None` if the system does not report it. Linux, macOS and FreeBSD.
const _: fn() -> Option<u32> = thread_count;

// ---- `fork_guard.rs`: descriptors that forked children must not keep ----

pub(crate) use system::fork_guard::ForkGuard;

/// Keeps a descriptor from children that are forked without `exec`. The descriptor must stay open until the guard is
/// dropped. Makes no system call. Does nothing on Windows.
const _: fn(&File) -> ForkGuard = ForkGuard::new;
/// The same for a listener, which may be closed before the guard is dropped.
const _: fn(&IpcListener) -> ForkGuard = ForkGuard::of_listener;

// ---- `activation.rs`: service managers ----

#[cfg(all(target_os = "macos", feature = "launchd-experimental"))]
pub(crate) use system::activation::take_launchd_listener;
pub(crate) use system::activation::{Notifier, listener_path, take_passed_listener};

/// Adopts one of the listeners that a service manager has passed, by its index. Keeps all of them from children. To be
/// called once. `InvalidInput` if the descriptor is not a listening stream socket. `Unsupported` on Windows.
const _: fn(index: usize, passed: usize) -> io::Result<IpcListener> = take_passed_listener;
/// The path that a listener is bound to. `None` if it has none. `Unsupported` on Windows.
const _: fn(&IpcListener) -> io::Result<Option<PathBuf>> = listener_path;
/// The notifier for the socket that this environment variable names. `None` if it is not set. Always `None` on Windows.
const _: fn(variable: &str) -> io::Result<Option<Notifier>> = Notifier::from_variable;
/// Sends a service manager notification. Errors are ignored.
const _: fn(&Notifier, &str) = Notifier::notify;

// ---- `hints.rs`: texts for people ----

pub(crate) use system::hints::{
    SANDBOX_HINT, STOP_HINT, connect_hint, entry_hint, error_hint, kill_hint,
};

/// What asks a daemon to stop, with the verb: "SIGTERM asks".
const _: &str = STOP_HINT;
/// The command that connects to an endpoint. `None` if the system has none.
const _: fn(endpoint: &Path) -> Option<String> = connect_hint;
/// The command that ends a process.
const _: fn(pid: u32) -> String = kill_hint;
/// What to do about an error of the system, which says enough whatever the call was. `None` for other errors.
const _: fn(&io::Error) -> Option<&'static str> = error_hint;
/// What else to do about a refused change of a directory, as it follows other advice. `None` if the error is not one of
/// file systems. Always `None` on Windows.
const _: fn(&io::Error) -> Option<&'static str> = entry_hint;
/// What may refuse a call although owners and modes permit it, as it follows "such as".
const _: &str = SANDBOX_HINT;
