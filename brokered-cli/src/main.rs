//! `brokered`: the operator's tool. What runs, how it fares, and what to do about it.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod find;
mod look;
mod screen;
mod span;
mod table;
mod trouble;
mod waterfall;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;
use screen::Screen;
use trouble::Trouble;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut screen = Screen::new(arguments.json, arguments.color);
    let outcome = commands::run(&arguments, &mut screen).and_then(|code| {
        screen.flush()?;
        Ok(code)
    });
    ExitCode::from(match outcome {
        Ok(code) => code,
        Err(trouble) => tell(&mut screen, &trouble),
    })
}

/// Says what went wrong. Whoever has stopped reading wants to hear no more, and that is no failure.
fn tell(screen: &mut Screen, trouble: &Trouble) -> u8 {
    if !trouble.is_a_reader_gone() {
        // Nobody is left to tell if this fails, too.
        let _ = screen.error(trouble);
    }
    trouble.code()
}
