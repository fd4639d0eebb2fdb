//! What every daemon here is made of: a state that says when it is loaded, and a future that is ready the second time.

use std::convert::Infallible;
use std::future::poll_fn;
use std::task::Poll;

use brokered_runtime::{Bound, State};

/// A state.
pub struct Index;

impl State for Index {
    type Error = Infallible;

    fn load(bound: &Bound) -> Result<Self, Self::Error> {
        let endpoint = bound.instance().endpoint().expect("a daemon has one");
        assert!(endpoint.exists(), "a state loads after bind");
        println!("loaded");
        Ok(Self)
    }
}

/// Makes the executor come back once.
pub async fn woken() {
    let mut is_woken = false;
    poll_fn(|context| {
        if is_woken {
            return Poll::Ready(());
        }
        is_woken = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    println!("woken");
}
