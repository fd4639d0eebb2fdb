//! `brokered`: the operator's tool. What runs, how it fares, and what to do about it.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod duration;
mod error;
mod inspect;
mod output;
mod select;
mod table;
mod waterfall;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;
use error::CliError;
use output::Output;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut output = Output::new(arguments.json, arguments.color);
    let outcome = commands::run(&arguments, &mut output).and_then(|code| {
        output.flush()?;
        Ok(code)
    });
    ExitCode::from(match outcome {
        Ok(code) => code,
        Err(trouble) => tell(&mut output, &trouble),
    })
}

/// Says what went wrong. Whoever has stopped reading wants to hear no more, and that is no failure.
fn tell(output: &mut Output, trouble: &CliError) -> u8 {
    if !trouble.is_a_reader_gone() {
        // Nobody is left to tell if this fails, too.
        let _ = output.error(trouble);
    }
    trouble.code()
}
