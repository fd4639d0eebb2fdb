//! The same as with actix.

use brokered_runtime::{Bound, brokered_daemon};
use executors::{Index, woken};

#[compio::main]
#[brokered_daemon("above-compio")]
async fn main(bound: Bound, _: Index) {
    let task = compio::runtime::spawn(woken());
    let _ = task.await;
    drop(bound);
}
