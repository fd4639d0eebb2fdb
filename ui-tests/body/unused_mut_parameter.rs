use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(mut bound: Bound) {
    drop(bound);
}
