//! Peer credentials: the user and the process at the other end of a connection.

use std::io;
use std::path::Path;

use interprocess::local_socket::Stream as IpcStream;

use super::pipe::handle_of;
#[cfg(feature = "operator")]
use super::pipe::server_process;
use super::user::{self, Owner};

/// A pipe belongs to the user who has created it, and no user can create one in another user's name. An elevated
/// process that sets no security descriptor creates a pipe that belongs to the administrators. That is accepted if this
/// process is one of them. On the daemon's side the pipe is always this user's, and its security descriptor refuses all
/// others.
pub(crate) fn foreign_peer(
    stream: &IpcStream,
    _directory: Option<&Path>,
) -> io::Result<Option<u32>> {
    Ok(match user::owner_of_pipe(handle_of(stream))? {
        Owner::ThisUser | Owner::GroupOfThisUser => None,
        Owner::Other(user) => Some(user),
    })
}

#[cfg(feature = "operator")]
pub(crate) fn listening_process(stream: &IpcStream) -> Option<u32> {
    server_process(stream)
}
