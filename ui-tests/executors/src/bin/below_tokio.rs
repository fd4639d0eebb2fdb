use std::io;

use brokered_runtime::{Bound, brokered_daemon};
use executors::{Index, woken};

#[brokered_daemon("below-tokio")]
#[tokio::main]
async fn main(bound: Bound, _: Index) -> io::Result<()> {
    tokio::spawn(woken()).await?;
    drop(bound);
    Ok(())
}
