use std::process::ExitCode;

use brokered_runtime::{Bound, brokered_daemon};

const CLI: ExitCode = ExitCode::SUCCESS;

#[brokered_daemon("indexd", cli = CLI)]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
