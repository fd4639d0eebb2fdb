use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
#[unsafe(no_mangle)]
fn main(bound: Bound) {
    let _ = bound;
}
