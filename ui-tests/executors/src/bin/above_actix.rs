//! The attribute of actix keeps the attributes below it and the parameters. The result is a plain `main` that blocks.

use std::io;

use brokered_runtime::{Bound, brokered_daemon};
use executors::{Index, woken};

#[actix_rt::main]
#[brokered_daemon("above-actix")]
async fn main(bound: Bound, _: Index) -> io::Result<()> {
    actix_rt::spawn(woken()).await?;
    drop(bound);
    Ok(())
}
