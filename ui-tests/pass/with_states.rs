//! States are loaded in the order of the parameters, and passed by value.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU8, Ordering};

use brokered_runtime::{Bound, State, brokered_daemon};

static LOADED: AtomicU8 = AtomicU8::new(0);

struct First(u8);
struct Second(u8);

impl State for First {
    type Error = Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Self(LOADED.fetch_add(1, Ordering::SeqCst)))
    }
}

impl State for Second {
    type Error = String;

    fn load(bound: &Bound) -> Result<Self, Self::Error> {
        let socket = bound.instance().endpoint().map_err(|error| error.to_string())?;
        if socket.exists() { Ok(Self(LOADED.fetch_add(1, Ordering::SeqCst))) } else { Err("not bound".to_owned()) }
    }
}

#[brokered_daemon("with-states")]
fn main(bound: Bound, First(first): First, mut second: Second) {
    second.0 *= 10;
    assert_eq!((first, second.0), (0, 10));
    drop(bound);
}
