//! A daemon with two large states: one is loaded before `main`, and the other in the background.

#![forbid(unsafe_code)]

use std::io;

use brokered_runtime::{Background, Bound, State, brokered_daemon};
use daemon_tests::LARGE_STATE_SIZE as SIZE;

struct Large([u8; SIZE]);

impl State for Large {
    type Error = io::Error;

    #[allow(clippy::large_stack_arrays, reason = "that is what is tested")]
    fn load(_: &Bound) -> io::Result<Self> {
        Ok(Self([7; SIZE]))
    }
}

#[brokered_daemon("large-state")]
fn main(_bound: Bound, large: Large, later: Background<Large>) {
    println!("{} {}", sum(&large), sum(later.get()));
}

fn sum(large: &Large) -> u64 {
    large.0.iter().map(|byte| u64::from(*byte)).sum()
}
