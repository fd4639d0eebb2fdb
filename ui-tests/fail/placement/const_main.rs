use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
const fn main(bound: Bound) {
    std::mem::forget(bound);
}
