use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
#[test]
fn main(bound: Bound) {
    let _ = bound;
}
