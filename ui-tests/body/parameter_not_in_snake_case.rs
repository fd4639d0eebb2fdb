use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(Bound1: Bound) {
    drop(Bound1);
}
