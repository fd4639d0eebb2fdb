use brokered_runtime::{BindError, BrokeredBackend, Endpoint, IpcListener, Never, bootstrap};

struct Custom;

impl BrokeredBackend for Custom {
    type State = Vec<String>;

    fn bind(endpoint: &Endpoint, state: &mut Vec<String>) -> Result<IpcListener, BindError> {
        state.push(endpoint.to_owned());
        Err(BindError::InvalidEndpoint(endpoint.to_owned()))
    }

    fn serve(_: IpcListener) -> Never {
        loop {}
    }
}

fn main() {
    let _ = bootstrap::<Custom>("custom");
}
