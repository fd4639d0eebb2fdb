//! What `large-state-daemon` loads before `main`, in a plain `main`.

#![forbid(unsafe_code)]

use std::io;

use daemon_tests::LARGE_STATE_SIZE as SIZE;

struct Large([u8; SIZE]);

impl Large {
    #[allow(
        clippy::large_stack_arrays,
        clippy::unnecessary_wraps,
        reason = "it is the load of the daemon"
    )]
    fn load() -> io::Result<Self> {
        Ok(Self([7; SIZE]))
    }
}

fn main() -> io::Result<()> {
    let large = Large::load()?;
    println!("{}", sum(&large));
    Ok(())
}

fn sum(large: &Large) -> u64 {
    large.0.iter().map(|byte| u64::from(*byte)).sum()
}
