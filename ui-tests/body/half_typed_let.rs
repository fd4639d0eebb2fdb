use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    let words = ;
}

fn other() {
    let _ = 1;
}
