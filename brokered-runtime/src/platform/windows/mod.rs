//! Windows: files and the lock among them, named pipes, the launcher's channel, processes and console events.
//!
//! `interprocess` makes the pipes and moves the bytes. Where it cannot do what the protocol asks for, the system is
//! called here, and the reason stands beside the call.

mod channel;
mod console;
mod files;
mod overlapped;
mod pipes;
mod process;
mod service;
#[cfg(feature = "tokio")]
mod tokio;
mod user;
mod words;

pub(crate) use channel::{Channel, ChannelEnd};
pub(crate) use console::{SignalPipe, Wake, Watch};
#[cfg(feature = "testing")]
pub(crate) use files::create_new_directory;
#[cfg(feature = "cli")]
pub(crate) use files::is_file_at;
pub(crate) use files::{
    FileIdentity, canonicalize, check_directory, create_directory, default_runtime_directory,
    endpoint_in, fallback_directory, fits_endpoint, identity_of, in_the_way, is_at, open_append,
    open_lock, open_regular, open_to_note, open_turn, path_bytes, path_from_bytes, release_lock,
    replace_file,
};
#[cfg(feature = "cli")]
pub(crate) use pipes::listening_process;
pub(crate) use pipes::{
    AcceptWaker, AcceptedConnections, HANDS_OVER_LISTENERS, HANDS_OVER_LOCKS, Listening,
    MESSAGES_HOLD_DESCRIPTORS, accept, accept_error, bind, connect, foreign_peer, into_listener,
    listen_again, listens_at, never_wait_for, queue_clients, queue_for_watch, receive_now,
    receive_until, send_now,
};
#[cfg(feature = "fault-injection")]
pub(crate) use process::kill_this_process;
#[cfg(feature = "cli")]
pub(crate) use process::open_files_limit;
pub(crate) use process::{
    Child, ForkSeal, OtherProcess, age_at, become_program, boot_id, current_executable,
    drop_inherited, drop_terminal, end_process, forget_variables, glimpse, kill_child,
    name_program, null_input, reset_signals, spawn_detached, threads, uptime,
};
#[cfg(feature = "testing")]
pub(crate) use process::{ask_to_end, let_be_asked_to_end};
pub(crate) use service::{Notifier, path_of, take_passed_listener};
#[cfg(feature = "tokio")]
pub(crate) use tokio::{AsyncListener, AsyncStream, into_tokio};
pub(crate) use words::{WHAT_ASKS_TO_END, how_to_end, how_to_talk};
#[cfg(feature = "cli")]
pub(crate) use words::{WHAT_STOP_DOES, how_to_look_at, how_to_see_who_has_open};

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
