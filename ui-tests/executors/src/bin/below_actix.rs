use std::io;

use brokered_runtime::{Bound, brokered_daemon};
use executors::{Index, woken};

#[brokered_daemon("below-actix")]
#[actix_rt::main]
async fn main(bound: Bound, _: Index) -> io::Result<()> {
    actix_rt::spawn(woken()).await?;
    drop(bound);
    Ok(())
}
