//! Windows. Each file holds the items that the contract in `platform/mod.rs` lists under its name.
//!
//! `interprocess` creates the pipes and transfers the bytes. Where it cannot do what the protocol needs, a file calls
//! the Windows API, and a comment gives the reason.
//!
//! Each file uses only files above it. To read all of them, start at the top:
//!
//! - [`ffi`], [`event`], [`overlapped`]: results, texts, event objects and overlapped I/O, for the other files;
//! - [`user`], [`security_descriptor`]: users, owners, and who may access an object;
//! - [`files`], [`access`]: directories, locks, files, the names of pipes, and why an access is refused;
//! - [`directory_identity`]: whether a directory is still the same one;
//! - [`pipe`], [`connect`], [`listener`], [`stream`], [`peer`]: endpoints and connections;
//! - [`accept`], [`accepted_connections`], [`tokio`], [`poll`]: what a daemon serves and waits for;
//! - [`clock`], [`process_age`], [`process_activity`], [`other_process`]: time and processes;
//! - [`standard_handles`], [`process`], [`output`], [`terminal`]: this process, and where its output goes;
//! - [`channel`], [`command_line`], [`spawn`]: starting a daemon and talking to it;
//! - [`activation`], [`fork_guard`], [`file_size`]: service managers, forked children and a limit of the size of
//!   files, of which Windows has none;
//! - [`hints`]: texts for people.

pub(super) mod accept;
pub(super) mod accepted_connections;
pub(super) mod access;
pub(super) mod activation;
pub(super) mod channel;
pub(super) mod clock;
mod command_line;
pub(super) mod connect;
pub(super) mod descriptor_reserve;
pub(super) mod directory_identity;
mod event;
mod ffi;
pub(super) mod file_size;
pub(super) mod files;
pub(super) mod fork_guard;
pub(super) mod hints;
pub(super) mod listener;
pub(super) mod other_process;
pub(super) mod output;
mod overlapped;
pub(super) mod peer;
mod pipe;
pub(super) mod poll;
pub(super) mod process;
pub(super) mod process_activity;
pub(super) mod process_age;
pub(super) mod process_halt;
mod security_descriptor;
pub(super) mod spawn;
mod standard_handles;
pub(super) mod stream;
pub(super) mod terminal;
#[cfg(feature = "tokio")]
pub(super) mod tokio;
mod user;
