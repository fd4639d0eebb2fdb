use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("smallest")]
fn main(bound: Bound) {
    drop(bound);
}
