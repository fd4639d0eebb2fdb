use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound) {
    let _ = bound;
}
