//! The command line.

use std::{
    fs,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};
use brokered_runtime::StopOutcome;
use clap::{Parser, Subcommand};

use crate::{
    WORDS,
    client::{self, Answer},
    protocol::{Request, Summary},
    serve::shown,
    text,
};

/// Exit codes, as grep has them.
const NOTHING_FOUND: u8 = 1;
const TROUBLE: u8 = 2;

/// Prints the lines that hold all the words, in all files of a directory.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    after_help = "The daemon stays for the next searches, until ten minutes after the last one. `words stop DIRECTORY` ends it.\n\n\
                  Exit code: 0 if a line was found, 1 if none was, 2 if something went wrong.",
    after_long_help = AFTER_LONG_HELP
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// The directory to search, with all that is below it
    #[arg(required = true)]
    directory: Option<PathBuf>,

    /// What a line must hold, in any order, in upper or lower case
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,

    /// Also list the files that were skipped, and say what the search took
    #[arg(short, long)]
    verbose: bool,

    /// Print long lines whole, rather than 300 bytes around the first of the words
    #[arg(long)]
    long_lines: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon of a directory here, in the foreground
    Daemon {
        /// The directory
        directory: PathBuf,
    },
    /// End the daemon of a directory, once it has answered whoever it has let in
    Stop {
        /// The directory
        directory: PathBuf,
    },
}

const AFTER_LONG_HELP: &str = "\
A word is a run of letters, digits and `_`; all else separates words, in an argument, too: `std::io` \
asks for the lines with both `std` and `io`. Whole words are compared, upper and lower case are the same.

The first search in a directory starts a daemon that reads all its files and keeps an index of their words \
in memory. It stays and answers the next searches; `words stop DIRECTORY` ends it. What has \
changed in the meantime is seen by the next search. With BROKERED_DISABLE=1 there is no daemon: each search \
reads all files itself.

Searched is what ripgrep would search: no hidden files, nothing that a .gitignore in a git work tree or an \
.ignore names, no symbolic links. Skipped and counted are binary files (those with a NUL byte), files of \
more than 64 MiB, and what cannot be read. Standard error says how many, if it is a terminal or if something \
could not be read; --verbose lists them.

Exit code: 0 if a line was found, 1 if none was, 2 if something went wrong.";

/// What every process does that was not started as the daemon.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match carry_out(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("words: {error:#}");
            ExitCode::from(TROUBLE)
        }
    }
}

fn carry_out(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match (&arguments.command, &arguments.directory) {
        (Some(Command::Daemon { directory }), _) => {
            check_directory(directory)?;
            match WORDS.at(directory).exec()? {}
        }
        (Some(Command::Stop { directory }), _) => {
            let stopped = WORDS.at(directory).stop()?;
            eprintln!(
                "words: {}",
                match stopped {
                    StopOutcome::WasNotRunning => "no daemon was running",
                    _ => "the daemon has ended",
                }
            );
            Ok(ExitCode::SUCCESS)
        }
        (None, Some(directory)) => find(directory, arguments),
        (None, None) => bail!("no directory to search"),
    }
}

fn find(directory: &Path, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    check_directory(directory)?;
    for word in &arguments.words {
        ensure!(
            !text::distinct_words(word).is_empty(),
            "there is no word in {word:?}: words are made of letters, digits and _"
        );
    }
    let request = Request {
        text: arguments.words.join(" "),
        list_skipped: arguments.verbose,
        whole_lines: arguments.long_lines,
    };
    match client::ask(&WORDS.at(directory), directory, &request)? {
        Answer::Unheard => Ok(ExitCode::SUCCESS),
        Answer::Complete(summary) => {
            report(&summary, arguments.verbose);
            Ok(if summary.lines > 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(NOTHING_FOUND)
            })
        }
    }
}

/// What the daemon would find out later, and could say less directly.
fn check_directory(directory: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot search {}", shown(directory));
    ensure!(
        fs::metadata(directory).with_context(cannot)?.is_dir(),
        "{} is not a directory: name the directory that the file is in",
        shown(directory)
    );
    fs::read_dir(directory).with_context(cannot)?;
    Ok(())
}

/// Says what a user at a terminal wants to know, and in any case what could be missing in the
/// answer.
fn report(summary: &Summary, verbose: bool) {
    let missing = summary.tree.unreadable + summary.tree.large > 0;
    if verbose || missing || io::stderr().is_terminal() {
        eprintln!("words: {summary}");
    }
    if verbose {
        eprintln!(
            "words: answered by process {}, which holds {}",
            summary.pid, summary.tree
        );
    } else if missing {
        eprintln!("words: --verbose lists what was skipped");
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_directory_and_words_or_the_daemon() {
        let arguments = Arguments::try_parse_from(["words", "-v", "dir", "one", "two"]).unwrap();
        assert_eq!(
            (
                arguments.directory,
                arguments.words.len(),
                arguments.verbose
            ),
            (Some("dir".into()), 2, true)
        );
        let arguments = Arguments::try_parse_from(["words", "daemon", "dir"]).unwrap();
        assert!(
            matches!(arguments.command, Some(Command::Daemon { directory }) if directory == Path::new("dir"))
        );
        let arguments = Arguments::try_parse_from(["words", "./daemon", "dir"]).unwrap();
        assert!(arguments.command.is_none());
        let arguments = Arguments::try_parse_from(["words", "help", "--", "-x"]).unwrap();
        assert_eq!(arguments.words, ["-x"]);
    }

    #[test]
    fn what_is_missing_is_an_error() {
        for arguments in [
            &["words"][..],
            &["words", "dir"],
            &["words", "daemon"],
            &["words", "daemon", "dir", "word"],
        ] {
            let error = Arguments::try_parse_from(arguments).unwrap_err();
            assert_eq!(
                error.exit_code(),
                i32::from(TROUBLE),
                "{arguments:?}: {error}"
            );
        }
    }
}
