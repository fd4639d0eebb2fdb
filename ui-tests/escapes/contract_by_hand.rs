//! The contract [`BrokeredBackend`] with [`bootstrap`]. Its caller may run code before bind. A `cli` may call it too.

#![forbid(unsafe_code)]

use brokered_runtime::{BindError, Bound, BrokeredBackend, Endpoint, IpcListener, Never, bootstrap, brokered_daemon};

struct Custom;

impl BrokeredBackend for Custom {
    type State = ();

    fn bind(endpoint: &Endpoint) -> Result<IpcListener, BindError> {
        Err(BindError::InvalidEndpoint(endpoint.to_owned()))
    }

    fn serve(_: IpcListener) -> Never {
        std::process::exit(0)
    }
}

fn cli() {
    others::look();
    let _ = bootstrap::<Custom>("escape");
}

#[brokered_daemon("escape", cli = cli)]
fn main(_: Bound) {}
