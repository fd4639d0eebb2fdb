use brokered_runtime::{Bound, brokered_daemon};

fn cli<const WORDS: usize>() {}

fn words() -> usize {
    println!("before bind");
    3
}

#[brokered_daemon("indexd", cli = cli::<{ words() }>)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
