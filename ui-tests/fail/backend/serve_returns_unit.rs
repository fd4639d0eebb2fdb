use brokered_runtime::{BindError, BrokeredBackend, Endpoint, IpcListener, bootstrap};

struct Custom;

impl BrokeredBackend for Custom {
    type State = Vec<String>;

    fn bind(endpoint: &Endpoint) -> Result<IpcListener, BindError> {
        Err(BindError::InvalidEndpoint(endpoint.to_owned()))
    }

    fn serve(_: IpcListener) {
        println!("served");
    }
}

fn main() {
    let _ = bootstrap::<Custom>("custom");
}
