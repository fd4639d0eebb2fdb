use brokered_runtime::{Bound, brokered_daemon};

struct Error;

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> Result<(), Error> {
    let _ = bound;
    Err(Error)
}
