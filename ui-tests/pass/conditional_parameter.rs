//! Parameters that are there in one configuration and not in another: what is not there is not loaded.

use std::convert::Infallible;

use brokered_runtime::{Bound, State, brokered_daemon};

struct There;

impl State for There {
    type Error = Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

#[cfg(any())]
struct Elsewhere;

#[brokered_daemon("conditional-parameter")]
fn main(
    bound: Bound,
    #[cfg(any())] elsewhere: Elsewhere,
    #[cfg(all())]
    #[allow(unused_variables)]
    there: There,
    #[cfg(not(all()))] _: Elsewhere,
    #[cfg_attr(all(), cfg(any()))] _: Elsewhere,
    #[cfg_attr(any(), cfg(any()))] _: There,
    always: There,
) {
    let There = always;
    drop(bound);
}
