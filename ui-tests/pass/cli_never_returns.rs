use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("cli-never-returns", cli = cli)]
fn main(_: Bound) {}

fn cli() -> ! {
    println!("client");
    std::process::exit(0)
}
