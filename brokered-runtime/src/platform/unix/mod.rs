//! Unix: directories and locks, sockets, the launcher's channel, processes and signals.

mod activation;
mod age;
mod channel;
mod connections;
mod files;
mod fork;
#[cfg(feature = "cli")]
mod listening;
mod other;
mod process;
mod signals;
mod socket;
mod threads;
mod watch;
mod words;

#[cfg(all(target_os = "macos", feature = "launchd-experimental"))]
pub(crate) use activation::take_launchd_listener;
pub(crate) use activation::{Notifier, path_of, take_passed_listener};
pub(crate) use age::age_at;
pub(crate) use channel::{Channel, ChannelEnd};
pub(crate) use connections::AcceptedConnections;
#[cfg(feature = "cli")]
pub(crate) use files::is_file_at;
pub(crate) use files::{
    FileIdentity, canonicalize, check_directory, create_directory, default_runtime_directory,
    endpoint_in, fallback_directory, fits_endpoint, identity_of, in_the_way, is_at, open_append,
    open_lock, open_regular, open_to_note, open_turn, path_bytes, path_from_bytes, release_lock,
    replace_file,
};
pub(crate) use fork::ForkSeal;
#[cfg(feature = "cli")]
pub(crate) use listening::{listening_process, open_files_limit};
pub(crate) use other::{OtherProcess, uptime};
#[cfg(feature = "fault-injection")]
pub(crate) use process::kill_this_process;
pub(crate) use process::{
    Child, become_program, current_executable, drop_inherited, drop_terminal, end_process,
    forget_variables, name_program, null_input, reset_signals, spawn_detached,
};
pub(crate) use signals::{SignalPipe, Wake, Watch};
#[cfg(feature = "tokio")]
pub(crate) use socket::into_tokio;
pub(crate) use socket::{
    AcceptWaker, HANDS_OVER_LISTENERS, HANDS_OVER_LOCKS, Listening, MESSAGES_HOLD_DESCRIPTORS,
    accept, accept_error, bind, connect, foreign_peer, into_listener, listen_again, listens_at,
    never_wait_for, queue_clients, queue_for_watch, receive_now, receive_until, send_now,
};
#[cfg(feature = "tokio")]
pub(crate) use socket::{AsyncListener, AsyncStream};
pub(crate) use threads::threads;
pub(crate) use watch::{boot_id, glimpse, kill_child};
pub(crate) use words::{WHAT_ASKS_TO_END, how_to_end, how_to_talk};
#[cfg(feature = "cli")]
pub(crate) use words::{WHAT_STOP_DOES, how_to_look_at, how_to_see_who_has_open};
#[cfg(feature = "testing")]
pub(crate) use {
    files::create_new_directory,
    process::{ask_to_end, let_be_asked_to_end},
};
