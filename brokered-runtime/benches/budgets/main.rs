//! The budgets, measured: what brokered costs beside what one would write by hand.
//!
//! ```text
//! cargo bench -p brokered-runtime --bench budgets
//! cargo bench -p brokered-runtime --bench budgets -- --quick warm cold
//! cargo bench -p brokered-runtime --bench budgets -- --build --markdown
//! ```
//!
//! One command, nothing to prepare: it builds the daemons beside this file in release, measures each row
//! with *both sides interleaved in one run* (ours, baseline, baseline, ours, ...), and prints for each the
//! medians, their ratio with its 95 % interval, the budget, and whether it was kept. A row whose
//! preconditions don't hold (no C compiler, one core, ...) says so and prints no figure.
//!
//! | argument | |
//! |---|---|
//! | `TEXT`... | only the rows whose name or description contains one of them |
//! | `--quick` | fewer rounds, for a look |
//! | `--build` | also the row that builds hello from nothing, which takes a minute or more |
//! | `--markdown` | the table as Markdown |
//! | `--list` | the rows' names, and nothing else |
//!
//! # How it is measured
//!
//! - *Spawn → connectable* is the time from just before the spawn to the first `connect` that succeeds,
//!   by a client that tries in a tight loop. On Linux that client has one core and the daemon another, for
//!   both sides alike, or the client's spinning would be what is measured.
//! - *Cold client* rows run a fresh client process in each round, as a command line is one, and take the
//!   time inside it. Both sides leave the choice of cores to the system; the hand-written client, which
//!   tries until it is connected, offers its core to others between two attempts.
//! - Each cold round has a runtime directory of its own, on tmpfs where there is one (as a runtime
//!   directory is), and ends with the daemon killed and reaped before the next begins.
//! - Unix only; on other systems it says so and ends well.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod suite;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    suite::main()
}

#[cfg(not(unix))]
fn main() {
    println!("budgets: these benchmarks are Unix only; nothing was measured");
}
