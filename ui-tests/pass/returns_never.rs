use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("returns-never")]
fn main(bound: Bound) -> ! {
    drop(bound);
    std::process::exit(0)
}
