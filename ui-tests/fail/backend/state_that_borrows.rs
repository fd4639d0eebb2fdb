use brokered_runtime::{BindError, BrokeredBackend, Endpoint, IpcListener, Never, bootstrap};

struct Custom<'a>(&'a str);

impl<'a> BrokeredBackend for Custom<'a> {
    type State = &'a str;

    fn bind(endpoint: &Endpoint) -> Result<IpcListener, BindError> {
        Err(BindError::InvalidEndpoint(endpoint.to_owned()))
    }

    fn serve(_: IpcListener) -> Never {
        loop {}
    }
}

fn main() {
    let _ = bootstrap::<Custom<'_>>("custom");
}
