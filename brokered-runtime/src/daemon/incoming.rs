//! [`Incoming`]: accepts clients one by one.

use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::descriptor_reserve::{REFUSE_AFTER, WithoutDescriptor};
use super::guards::AcceptGuard;
use super::lifecycle::Lifecycle;
use crate::IpcStream;
use crate::diagnostics::print;
use crate::platform::{self, AcceptError, AcceptQueue};

/// How long to pause when descriptors, memory or threads have run out. A connection that ends frees some.
pub(super) const EXHAUSTED_PAUSE: Duration = Duration::from_millis(20);

/// How long to wait for a client while no descriptor is free, before `accept` is tried again.
pub(super) const CLIENT_TIMEOUT: Duration = Duration::from_secs(1);

/// Accepts the next client. `None` once the daemon shuts down and all clients in the backlog were accepted.
pub(super) fn accept(
    listener: &AcceptQueue,
    lifecycle: &Lifecycle,
) -> io::Result<Option<IpcStream>> {
    let descriptors = lifecycle.descriptors();
    let mut needs_reserve = false;
    loop {
        let accepted = lifecycle.accept(listener);
        let is_last_resort = mem::take(&mut needs_reserve);
        let error = match accepted {
            Ok(stream) if is_last_resort => match descriptors.admit(stream) {
                Some(stream) => return Ok(Some(stream)),
                None => continue,
            },
            Ok(stream) => {
                descriptors.on_accepted();
                return Ok(Some(stream));
            }
            Err(error) => error,
        };
        if is_last_resort {
            descriptors.give_back();
        }
        match platform::accept_error(&error) {
            AcceptError::ShutDown if lifecycle.is_stopping() => {
                lifecycle.unlink_endpoint();
                lifecycle.settling().set_accept_ended();
                return Ok(None);
            }
            AcceptError::Retry => {}
            AcceptError::Exhausted if platform::is_out_of_descriptors(&error) => {
                needs_reserve = wait_for_descriptor(listener, lifecycle);
            }
            AcceptError::Exhausted => thread::sleep(EXHAUSTED_PAUSE),
            AcceptError::ShutDown | AcceptError::Broken => return Err(error),
        }
    }
}

/// Waits until the next client can be accepted. Returns whether that needs a descriptor of the reserve.
fn wait_for_descriptor(listener: &AcceptQueue, lifecycle: &Lifecycle) -> bool {
    loop {
        // On Linux `accept` fails for lack of a descriptor even if no client waits.
        if !platform::wait_for_client(listener, CLIENT_TIMEOUT) {
            return false;
        }
        match lifecycle.descriptors().on_shortage(lifecycle.is_stopping()) {
            WithoutDescriptor::Accept { is_first } => {
                if is_first {
                    print_refusal(lifecycle);
                }
                return true;
            }
            WithoutDescriptor::Pause => {}
        }
        thread::sleep(EXHAUSTED_PAUSE);
        // The reserve comes first.
        if lifecycle.descriptors().fill() {
            return false;
        }
    }
}

/// Says that clients are refused, once for each shortage.
pub(super) fn print_refusal(lifecycle: &Lifecycle) {
    let limit =
        platform::open_files_limit().map_or_else(String::new, |limit| format!(" of {limit}"));
    print(
        lifecycle.name(),
        format_args!(
            "no descriptor{limit} was free for {} s, so new clients are refused until one is: raise the limit of \
             open files with `ulimit -n` or `LimitNOFILE=`, or lower `max_connections`",
            REFUSE_AFTER.as_secs()
        ),
    );
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
