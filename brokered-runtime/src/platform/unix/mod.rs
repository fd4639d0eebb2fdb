//! Unix. Each file holds the items that the contract in `platform/mod.rs` lists under its name.
//!
//! Each file uses only files above it. To read all of them, start at the top:
//!
//! - [`descriptors`]: settings of one descriptor, for the other files;
//! - [`file_size`]: the signal at the limit of the size of files;
//! - [`files`], [`access`]: directories, locks and files, and why an access is refused;
//! - [`directory_identity`]: whether a directory is still the same one;
//! - [`listener`], [`connect`], [`stream`], [`peer`]: endpoints and connections;
//! - [`fork_guard`]: descriptors that forked children must not keep;
//! - [`clock`], [`process_age`], [`process_activity`], [`other_process`]: time and processes;
//! - [`process`], [`output`], [`terminal`]: this process, where its output goes, and its terminal;
//! - [`accept`], [`accepted_connections`], [`tokio`], [`poll`]: what a daemon serves and waits for;
//! - [`channel`], [`spawn`]: starting a daemon and talking to it;
//! - [`activation`]: service managers;
//! - [`hints`]: texts for people.

pub(super) mod accept;
pub(super) mod accepted_connections;
pub(super) mod access;
pub(super) mod activation;
pub(super) mod channel;
pub(super) mod clock;
pub(super) mod connect;
pub(super) mod descriptor_reserve;
mod descriptors;
pub(super) mod directory_identity;
pub(super) mod file_size;
pub(super) mod files;
pub(super) mod fork_guard;
pub(super) mod hints;
pub(super) mod listener;
pub(super) mod other_process;
pub(super) mod output;
pub(super) mod peer;
pub(super) mod poll;
pub(super) mod process;
pub(super) mod process_activity;
pub(super) mod process_age;
pub(super) mod process_halt;
mod signal_handler;
pub(super) mod spawn;
pub(super) mod stream;
pub(super) mod terminal;
#[cfg(feature = "tokio")]
pub(super) mod tokio;
