//! The items in the hidden module `brokered_runtime::attribute`, used by a `main` without the attribute.

#![forbid(unsafe_code)]

use brokered_runtime::Daemon;
use brokered_runtime::attribute::{Exit, Program, run};
use std::process::ExitCode;

fn main() -> Exit {
    others::look();
    let program = Program::new(Daemon::new("escape"), None, None, None);
    run(program, |_| Ok(ExitCode::SUCCESS))
}
