use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    #![deny(unused_variables)]
    let words = 3;
    drop(bound);
}
