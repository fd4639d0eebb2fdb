use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    let mut words = vec![1];
    let first = &words[0];
    words.push(2);
    println!("{first}");
    drop(bound);
}
