//! Its attribute keeps those below it and the parameters: what is handed on is a plain `main` that blocks.

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
