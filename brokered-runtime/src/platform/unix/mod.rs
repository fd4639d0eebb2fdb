//! Unix: directories and locks, sockets, the launcher's channel, processes and signals.

mod activation;
mod channel;
mod connections;
mod files;
mod fork;
mod hints;
#[cfg(feature = "operator")]
mod listener_owner;
mod other_process;
mod process;
mod process_activity;
mod process_age;
mod signals;
mod socket;
mod threads;

#[cfg(all(target_os = "macos", feature = "launchd-experimental"))]
pub(crate) use activation::take_launchd_listener;
pub(crate) use activation::{Notifier, path_of, take_passed_listener};
pub(crate) use channel::{Channel, ChannelEnd};
pub(crate) use connections::AcceptedConnections;
#[cfg(feature = "operator")]
pub(crate) use files::is_file_at;
pub(crate) use files::{
    FileIdentity, canonicalize, check_directory, create_directory, default_runtime_directory,
    endpoint_in, fallback_directory, fits_endpoint, identity_of, is_at, open_append,
    open_launch_lock, open_lock, open_read_append, open_regular, path_bytes, path_from_bytes,
    path_occupant, release_lock, replace_file,
};
pub(crate) use fork::ForkGuard;
pub(crate) use hints::{STOP_HINT, connect_hint, kill_hint};
#[cfg(feature = "operator")]
pub(crate) use hints::{UNRESPONSIVE_STOP_HINT, inspect_hint, open_file_hint};
#[cfg(feature = "operator")]
pub(crate) use listener_owner::{listening_process, open_files_limit};
pub(crate) use other_process::{OtherProcess, uptime};
#[cfg(feature = "fault-injection")]
pub(crate) use process::kill_this_process;
pub(crate) use process::{
    Child, close_inherited_descriptors, current_executable, detach_terminal, end_process, exec,
    null_input, remove_variables, reset_signals, set_arg0, spawn_detached,
};
pub(crate) use process_activity::{boot_id, kill_child, process_activity};
pub(crate) use process_age::age_at;
pub(crate) use signals::{PollSource, SignalPipe, Wake};
#[cfg(feature = "tokio")]
pub(crate) use socket::into_tokio;
pub(crate) use socket::{
    AcceptQueue, AcceptWaker, CAN_PASS_LISTENERS, CAN_PASS_LOCKS, MESSAGES_KEEP_DESCRIPTORS_OPEN,
    accept, accept_error, bind, connect, foreign_peer, into_listener, listen_again, listens_at,
    receive_nonblocking, receive_until, send_nonblocking, set_nonblocking, start_accept_queue,
    start_polled_queue,
};
#[cfg(feature = "tokio")]
pub(crate) use socket::{AsyncListener, AsyncStream};
pub(crate) use threads::threads;
#[cfg(feature = "testing")]
pub(crate) use {
    files::create_new_directory,
    process::{allow_stop_request, request_stop},
};
