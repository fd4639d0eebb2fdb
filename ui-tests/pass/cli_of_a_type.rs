//! `cli` by every kind of path.

use brokered_runtime::{Bound, brokered_daemon};

struct Cli<T>(T);

trait Client {
    fn run() -> Result<(), String>;
}

impl Client for Cli<u8> {
    fn run() -> Result<(), String> {
        let Cli(code) = Cli(0_u8);
        if code == 0 { Ok(()) } else { Err(code.to_string()) }
    }
}

#[brokered_daemon("cli-of-a-type", cli = <Cli<u8> as Client>::run)]
fn main(_: Bound) {}
