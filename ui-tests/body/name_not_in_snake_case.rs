use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    let Words = 3;
    drop((bound, Words));
}
