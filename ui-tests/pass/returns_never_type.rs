use brokered_runtime::{Bound, Never, brokered_daemon};

#[brokered_daemon("returns-the-seeds-never")]
fn main(bound: Bound) -> Result<Never, std::io::Error> {
    drop(bound);
    std::process::exit(0)
}
