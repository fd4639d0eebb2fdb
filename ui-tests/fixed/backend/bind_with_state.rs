use brokered_runtime::{BindError, BrokeredBackend, Endpoint, IpcListener};
use brokered_runtime::{Never, bootstrap};

struct Custom;

impl BrokeredBackend for Custom {
    type State = String;

    fn bind(endpoint: &Endpoint) -> Result<IpcListener, BindError> {
        Err(BindError::InvalidEndpoint(endpoint.to_owned()))
    }

    fn serve(_: IpcListener) -> Never {
        loop {}
    }
}

fn main() {
    let _ = bootstrap::<Custom>("custom");
}
