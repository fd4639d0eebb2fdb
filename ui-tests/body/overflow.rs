use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    let words: u8 = 256;
    drop((bound, words));
}
