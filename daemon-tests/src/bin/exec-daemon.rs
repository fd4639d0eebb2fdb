//! Runs the test daemon in the foreground by `exec`, with an empty environment: `exec-daemon <directory> <executable>`.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;

use daemon_tests::TEST_DAEMON;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("exec-daemon <directory> <executable>")
    };
    let instance = TEST_DAEMON.at(next()?).program(next()?).env_clear();
    match instance.exec()? {}
}
