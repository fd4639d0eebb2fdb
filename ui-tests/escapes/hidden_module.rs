//! What is hidden in `brokered_runtime::attribute`, called by a `main` of one's own.

#![forbid(unsafe_code)]

use brokered_runtime::Daemon;
use brokered_runtime::attribute::{Exit, Program, run};
use std::process::ExitCode;

fn main() -> Exit {
    others::look();
    let program = Program::new(Daemon::new("escape"), None, None, None);
    run(program, |_| Ok(ExitCode::SUCCESS))
}
