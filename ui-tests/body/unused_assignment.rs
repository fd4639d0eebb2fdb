use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    let mut words = 3;
    println!("{words}");
    words = 4;
    drop(bound);
}
