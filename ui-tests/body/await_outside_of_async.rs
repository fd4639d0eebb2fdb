use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) {
    std::future::ready(1).await;
    drop(bound);
}
