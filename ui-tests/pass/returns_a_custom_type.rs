use std::process::{ExitCode, Termination};

use brokered_runtime::{Bound, brokered_daemon};

struct Ended;

impl Termination for Ended {
    fn report(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}

type Whatever<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[brokered_daemon("returns-a-type-of-its-own")]
fn main(_: Bound) -> Whatever<Ended> {
    Ok(Ended)
}
