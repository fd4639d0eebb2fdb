use brokered_runtime::{Bound, brokered_daemon};

fn start() {
    println!("client");
}

#[brokered_daemon("indexd", cli = start)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
