//! [`Incoming`]: accepts clients one by one.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::guards::AcceptGuard;
use super::lifecycle::Lifecycle;
use crate::IpcStream;
use crate::diagnostics::print;
use crate::platform::{self, AcceptError, AcceptQueue};

/// How long to pause when descriptors, memory or threads have run out. A connection that ends frees some.
pub(super) const EXHAUSTED_PAUSE: Duration = Duration::from_millis(20);

/// Accepts the next client. `None` once the daemon shuts down and all clients in the backlog were accepted.
pub(super) fn accept(
    listener: &AcceptQueue,
    lifecycle: &Lifecycle,
) -> io::Result<Option<IpcStream>> {
    loop {
        let error = match lifecycle.accept(listener) {
            Ok(stream) => return Ok(Some(stream)),
            Err(error) => error,
        };
        match platform::accept_error(&error) {
            AcceptError::ShutDown if lifecycle.is_stopping() => {
                lifecycle.unlink_endpoint();
                lifecycle.settling().set_accept_ended();
                return Ok(None);
            }
            AcceptError::Retry => {}
            AcceptError::Exhausted => thread::sleep(EXHAUSTED_PAUSE),
            AcceptError::ShutDown | AcceptError::Broken => return Err(error),
        }
    }
}

/// An iterator over the clients of a daemon. From [`Bound::incoming`](crate::Bound::incoming).
#[derive(Debug)]
pub struct Incoming {
    listener: AcceptQueue,
    _guard: AcceptGuard,
    lifecycle: Arc<Lifecycle>,
}

impl Incoming {
    pub(super) fn new(
        listener: AcceptQueue,
        guard: AcceptGuard,
        lifecycle: Arc<Lifecycle>,
    ) -> Self {
        Self {
            listener,
            _guard: guard,
            lifecycle,
        }
    }
}

impl Iterator for Incoming {
    type Item = IpcStream;

    fn next(&mut self) -> Option<IpcStream> {
        accept(&self.listener, &self.lifecycle).unwrap_or_else(|error| {
            print(
                self.lifecycle.name(),
                format_args!("cannot accept clients: {error}"),
            );
            None
        })
    }
}
