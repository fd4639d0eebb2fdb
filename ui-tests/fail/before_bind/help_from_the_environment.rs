use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd", help = std::env::var("INDEXD_HELP").unwrap_or_default())]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
