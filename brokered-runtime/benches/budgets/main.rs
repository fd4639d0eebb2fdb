//! The budgets: the cost of brokered compared with handwritten code.
//!
//! ```text
//! cargo bench -p brokered-runtime --bench budgets
//! cargo bench -p brokered-runtime --bench budgets -- --quick warm cold
//! cargo bench -p brokered-runtime --bench budgets -- --build --markdown
//! ```
//!
//! The command needs no preparation. It builds the bench daemons in release mode and measures each row with *both sides
//! interleaved in one run* (ours, baseline, baseline, ours, ...). For each row it prints the medians, their ratio with its
//! 95 % interval, the budget, and whether the budget was kept. A row whose preconditions do not hold (no C compiler, one
//! core, ...) prints the reason instead of figures.
//!
//! | argument | meaning |
//! |---|---|
//! | `TEXT`... | only the rows whose name or description contains one of the texts |
//! | `--quick` | fewer rounds |
//! | `--build` | also the row `build`, which takes a minute or more |
//! | `--markdown` | print the table as Markdown |
//! | `--list` | list the names of the rows, and measure nothing |
//!
//! # Method
//!
//! - *Spawn → connectable* is the time from just before the spawn to the first successful `connect`, by a client that tries
//!   in a tight loop. On Linux, the client has one core and the daemon another, so that the client does not delay the
//!   daemon. This holds for both sides.
//! - *Cold client* rows run a new client process in each round, as a command line tool is, and measure the time inside it.
//!   The system chooses the cores for both sides. The handwritten client, which tries until it is connected, yields its
//!   core between two attempts.
//! - Each cold round has a new runtime directory, on tmpfs where there is one. The daemon is killed and reaped before the
//!   next round begins.
//! - Only Unix is supported. On other systems the program says so and exits with success.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod suite;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    suite::main()
}

#[cfg(not(unix))]
fn main() {
    println!("budgets: only Unix is supported; nothing was measured");
}
