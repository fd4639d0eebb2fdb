use brokered_runtime::{Bound, brokered_daemon};

fn cli() {
    println!("client");
}

#[brokered_daemon("indexd", cli = cli)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
