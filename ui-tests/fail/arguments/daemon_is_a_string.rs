use brokered_runtime::{Bound, brokered_daemon};

const NAME: String = String::new();

#[brokered_daemon(NAME)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
