use std::io;

use brokered_runtime::{Bound, brokered_daemon};
use executors::{Index, woken};

#[brokered_daemon("blocks-on-smol")]
fn main(bound: Bound, _: Index) -> io::Result<()> {
    smol::block_on(async {
        smol::spawn(woken()).await;
        drop(bound);
        Ok(())
    })
}
