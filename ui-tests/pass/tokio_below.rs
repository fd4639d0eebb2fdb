use std::io;

use brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = io::Error;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        // No runtime yet: it starts after bind, and after the states.
        assert!(tokio::runtime::Handle::try_current().is_err());
        Ok(Self)
    }
}

#[brokered_daemon("tokio-below")]
#[tokio::main(flavor = "current_thread")]
async fn main(bound: Bound, _index: Index) -> io::Result<()> {
    assert!(tokio::runtime::Handle::try_current().is_ok());
    tokio::task::yield_now().await;
    drop(bound);
    Ok(())
}
