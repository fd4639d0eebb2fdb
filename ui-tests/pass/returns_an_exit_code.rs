use std::process::ExitCode;

use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("returns-an-exit-code")]
fn main(_: Bound) -> ExitCode {
    ExitCode::SUCCESS
}
