use brokered_runtime::{Bound, brokered_daemon};

fn cli() {
    let _verbose = std::env::args().any(|argument| argument == "--verbose");
}

#[brokered_daemon("indexd", cli = cli)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
