use brokered_runtime::{Bound, brokered_daemon};
use executors::{Index, woken};

#[brokered_daemon("below-compio")]
#[compio::main]
async fn main(bound: Bound, _: Index) {
    let task = compio::runtime::spawn(woken());
    let _ = task.await;
    drop(bound);
}
