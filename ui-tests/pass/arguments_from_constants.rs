//! What looks like input and is known when the program is built.

use brokered_runtime::{Bound, Daemon, brokered_daemon};

static NAME: &str = "text-of-constants";

const fn daemon(version: u32) -> Daemon {
    assert!(version > 0);
    Daemon::new(NAME).contract(version)
}

#[brokered_daemon({ const VERSION: u32 = 1; daemon(VERSION) }, help = concat!("of ", env!("CARGO_PKG_NAME"), "\n", include_str!("text.txt")))]
fn main(bound: Bound) {
    assert_eq!(bound.instance().daemon(), daemon(1));
}
