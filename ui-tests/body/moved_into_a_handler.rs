use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    let words = String::new();
    let served = bound.serve(|_| {
        drop(words);
        Ok(())
    });
    drop(served);
}
