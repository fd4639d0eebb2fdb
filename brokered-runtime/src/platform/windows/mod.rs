//! Windows: files and the lock among them, named pipes, the launcher's channel, processes and console events.
//!
//! `interprocess` makes the pipes and moves the bytes. Where it cannot do what the protocol asks for, the system is
//! called here, and the reason stands beside the call.

mod channel;
mod console;
mod files;
mod hints;
mod overlapped;
mod pipes;
mod process;
mod service;
#[cfg(feature = "tokio")]
mod tokio;
mod user;

pub(crate) use channel::{Channel, ChannelEnd};
pub(crate) use console::{PollSource, SignalPipe, Wake};
#[cfg(feature = "testing")]
pub(crate) use files::create_new_directory;
#[cfg(feature = "operator")]
pub(crate) use files::is_file_at;
pub(crate) use files::{
    FileIdentity, canonicalize, check_directory, create_directory, default_runtime_directory,
    endpoint_in, fallback_directory, fits_endpoint, identity_of, is_at, open_append,
    open_launch_lock, open_lock, open_read_append, open_regular, path_bytes, path_from_bytes,
    path_occupant, release_lock, replace_file,
};
pub(crate) use hints::{STOP_HINT, connect_hint, kill_hint};
#[cfg(feature = "operator")]
pub(crate) use hints::{UNRESPONSIVE_STOP_HINT, inspect_hint, open_file_hint};
#[cfg(feature = "operator")]
pub(crate) use pipes::listening_process;
pub(crate) use pipes::{
    AcceptQueue, AcceptWaker, AcceptedConnections, CAN_PASS_LISTENERS, CAN_PASS_LOCKS,
    MESSAGES_KEEP_DESCRIPTORS_OPEN, accept, accept_error, bind, connect, foreign_peer,
    into_listener, listen_again, listens_at, receive_nonblocking, receive_until, send_nonblocking,
    set_nonblocking, start_accept_queue, start_polled_queue,
};
#[cfg(feature = "fault-injection")]
pub(crate) use process::kill_this_process;
#[cfg(feature = "operator")]
pub(crate) use process::open_files_limit;
pub(crate) use process::{
    Child, ForkGuard, OtherProcess, age_at, boot_id, close_inherited_descriptors,
    current_executable, detach_terminal, end_process, exec, kill_child, null_input,
    process_activity, remove_variables, reset_signals, set_arg0, spawn_detached, threads, uptime,
};
#[cfg(feature = "testing")]
pub(crate) use process::{allow_stop_request, request_stop};
pub(crate) use service::{Notifier, path_of, take_passed_listener};
#[cfg(feature = "tokio")]
pub(crate) use tokio::{AsyncListener, AsyncStream, into_tokio};

/// What the system says of its last error, for a call that tells failure by zero.
fn check(done: windows_sys::core::BOOL) -> std::io::Result<()> {
    if done == 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

/// A text as the system wants it: 16 bits for each unit, and a zero at its end.
fn wide(text: &std::ffi::OsStr) -> Vec<u16> {
    use std::os::windows::ffi::OsStrExt;

    text.encode_wide().chain([0]).collect()
}
