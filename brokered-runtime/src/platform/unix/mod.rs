//! Unix: directories and locks, sockets, the launcher's channel, processes and signals.

mod age;
mod channel;
mod files;
mod process;
mod signals;
mod socket;

pub(crate) use age::{Uptime, age_at, threads, uptime};
pub(crate) use channel::{Channel, ChannelEnd, Line};
pub(crate) use files::{
    check_directory, create_directory, default_runtime_directory, fallback_directory,
    fits_endpoint, in_the_way, is_at, open_append, open_lock, open_regular, path_bytes,
    path_from_bytes, replace_file,
};
pub(crate) use process::{
    become_program, current_executable, detach, drop_inherited, drop_terminal, end_process,
    forget_variables, name_program, null_input, reset_signals,
};
pub(crate) use signals::{SignalPipe, Wake, Woken};
pub(crate) use socket::{
    AcceptWaker, HANDS_OVER_LISTENERS, MESSAGES_HOLD_DESCRIPTORS, accept, accept_error, bind,
    connect, foreign_peer, listen_again, listens_at,
};
#[cfg(feature = "testing")]
pub(crate) use {files::create_new_directory, process::ask_to_end};
