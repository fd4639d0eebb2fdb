use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    std::fs::remove_file("words");
    drop(bound);
}
