use brokered_runtime::{BindError, BrokeredBackend, Endpoint, IpcListener};
use brokered_runtime::{Never, bootstrap};

struct Custom;

impl BrokeredBackend for Custom {
    type State = String;

    fn bind(endpoint: &Endpoint, text: &mut String) -> Result<IpcListener, BindError> {
        text.push_str(endpoint);
        Err(BindError::InvalidEndpoint(endpoint.to_owned()))
    }

    fn serve(_: IpcListener) -> Never {
        loop {}
    }
}

fn main() {
    let _ = bootstrap::<Custom>("custom");
}
