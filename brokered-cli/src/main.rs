//! `brokered`: the operator's command line. It lists, inspects, starts and stops the daemons of one user.
//!
//! In the order in which to read them; each module uses only those above it, and `commands` uses all:
//!
//! | module | contents |
//! |---|---|
//! | `error` | why a command failed, and the exit codes |
//! | `duration`, `text`, `style`, `hints` | how durations, sentences and colours look; the platform's own commands |
//! | `arguments` | the command line, as clap parses it |
//! | `table` | tables and lists that fit the terminal |
//! | `output` | standard output, for people or as JSON |
//! | `waterfall` | the steps of a start as bars, on a terminal and as SVG |
//! | `select` | which instances the arguments mean |
//! | `inspect` | all that is known about an instance, whether or not its daemon answers |
//! | `commands` | the commands, a file or a folder each |

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod duration;
mod error;
mod hints;
mod inspect;
mod output;
mod pressure;
mod select;
mod style;
mod table;
mod text;
mod waterfall;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;
use error::CliError;
use output::Output;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut output = Output::new(arguments.json, arguments.color);
    let result = commands::run(&arguments, &mut output).and_then(|code| {
        output.flush()?;
        Ok(code)
    });
    ExitCode::from(match result {
        Ok(code) => code,
        Err(error) => report(&mut output, &error),
    })
}

/// Reports the error. A closed pipe is not one: its reader wants no more output.
fn report(output: &mut Output, error: &CliError) -> u8 {
    if !error.is_broken_pipe() {
        // If this fails too, no way to report it is left.
        let _ = output.error(error);
    }
    error.code()
}
