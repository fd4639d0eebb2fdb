//! Becomes the subject in the foreground, with an empty environment: `become <directory> <executable>`.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;

use daemon_tests::SUBJECT;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let mut next = || arguments.next().ok_or("become <directory> <executable>");
    let instance = SUBJECT.at(next()?).program(next()?).env_clear();
    match instance.exec()? {}
}
