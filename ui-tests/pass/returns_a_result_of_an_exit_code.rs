use std::process::ExitCode;

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("returns-a-result-of-an-exit-code")]
fn main(_: Bound) -> Result<ExitCode, String> {
    Ok(ExitCode::SUCCESS)
}
