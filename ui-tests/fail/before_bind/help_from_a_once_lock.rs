use brokered_runtime::{Bound, brokered_daemon};

static HELP: std::sync::OnceLock<&str> = std::sync::OnceLock::new();

#[brokered_daemon("indexd", help = HELP.get().unwrap())]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
