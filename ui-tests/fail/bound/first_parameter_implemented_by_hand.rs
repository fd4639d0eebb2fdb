// Two errors: the sealed trait is missed by the implementation, and again by the call that relies on it.
use brokered_runtime::{Bound, brokered_daemon};

struct Index;

impl brokered_runtime::attribute::FirstParameter for Index {
    fn after_loading(_: Bound) -> Self {
        Index
    }
}

#[brokered_daemon("indexd")]
fn main(index: Index) {
    let _ = index;
}
