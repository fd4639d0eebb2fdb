//! Names of the user's that the attribute's own code must not take for its own.

use brokered_runtime::{Bound, Daemon, State, brokered_daemon};

const DAEMON_ARGUMENT: Daemon = Daemon::new("names");
const HELP_ARGUMENT: &::core::primitive::str = "text";

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

#[allow(dead_code)]
mod others {
    pub mod std {}
    pub mod core {}
    pub struct Option;
    pub struct ExitCode;
    pub fn report() {}
    pub fn run() {}
    pub fn load() {}
    #[allow(non_upper_case_globals)]
    pub const bound: u8 = 1;
    #[allow(non_upper_case_globals)]
    pub const main: u8 = 1;
}
#[allow(unused_imports)]
use others::{ExitCode, Option, bound, core, load, report, run, std as own_std};

#[allow(non_camel_case_types, dead_code)]
type str = u8;

#[brokered_daemon(DAEMON_ARGUMENT, help = HELP_ARGUMENT)]
fn main(daemon: Bound, _: Index) {
    assert_eq!(daemon.instance().daemon(), DAEMON_ARGUMENT);
}
