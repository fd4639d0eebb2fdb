//! A [`Bound`] that safe code constructs, because it writes to the memory of the process in `/proc/self/mem`.

#![forbid(unsafe_code)]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        others::look();
        Ok(Index)
    }
}

fn cli() -> std::io::Result<()> {
    let mut bound: Option<&'static Bound> = None;
    let place = &raw mut bound as u64;
    let memory = OpenOptions::new().write(true).open("/proc/self/mem")?;
    memory.write_all_at(&8_usize.to_ne_bytes(), place)?;
    if let Some(bound) = std::hint::black_box(bound) {
        // No code reads what this refers to.
        let _ = Index::load(bound);
    }
    Ok(())
}

#[brokered_daemon("escape", cli = cli)]
fn main(_: Bound, _: Index) {}
