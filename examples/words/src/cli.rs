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

/// The exit codes of grep.
const NO_MATCH: u8 = 1;
const ERROR: u8 = 2;

/// Prints the lines that contain all the words, in all files of a directory.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    after_help = "The daemon keeps running until ten minutes after the last search. `words stop DIRECTORY` stops it.\n\n\
                  Exit code: 0 if a line was found, 1 if no line was found, 2 if an error occurred.",
    after_long_help = AFTER_LONG_HELP
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// The directory to search, including its subdirectories
    #[arg(required = true)]
    directory: Option<PathBuf>,

    /// A word that the line must contain, in any order and in any case
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,

    /// Also list the skipped files, and print the duration of the search
    #[arg(short, long)]
    verbose: bool,

    /// Print long lines completely, instead of 300 bytes around the first word
    #[arg(long)]
    long_lines: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon of a directory in the foreground
    Daemon {
        /// The directory
        directory: PathBuf,
    },
    /// Stop the daemon of a directory, after it has served its open connections
    Stop {
        /// The directory
        directory: PathBuf,
    },
}

const AFTER_LONG_HELP: &str = "\
A word is a sequence of letters, digits and `_`; all other characters separate words, in arguments, too: \
`std::io` finds the lines with both `std` and `io`. Whole words are compared, and case is ignored.

The first search in a directory launches a daemon. It reads all files and keeps an index of their words in \
memory, and answers the next searches. `words stop DIRECTORY` stops it. The next search finds files that \
have changed. With BROKERED_DISABLE=1 no daemon is launched, and each search reads all files itself.

The same files are searched as by ripgrep: no hidden files, no symbolic links, and no files that an .ignore, \
or a .gitignore in a git work tree, excludes. Binary files (with a NUL byte), files of more than 64 MiB, and \
unreadable files are skipped. Their number is printed on standard error, if that is a terminal or if files \
were unreadable or too large. --verbose lists them.

Exit code: 0 if a line was found, 1 if no line was found, 2 if an error occurred.";

/// The entry point of every process that is not the daemon.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("words: {error:#}");
            ExitCode::from(ERROR)
        }
    }
}

fn execute(arguments: &Arguments) -> anyhow::Result<ExitCode> {
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
        (None, None) => bail!("no directory is given"),
    }
}

fn find(directory: &Path, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    check_directory(directory)?;
    for word in &arguments.words {
        ensure!(
            !text::distinct_words(word).is_empty(),
            "{word:?} contains no word: words consist of letters, digits and _"
        );
    }
    let request = Request {
        text: arguments.words.join(" "),
        list_skipped: arguments.verbose,
        whole_lines: arguments.long_lines,
    };
    match client::request(&WORDS.at(directory), directory, &request)? {
        Answer::ReaderGone => Ok(ExitCode::SUCCESS),
        Answer::Complete(summary) => {
            report(&summary, arguments.verbose);
            Ok(if summary.lines > 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(NO_MATCH)
            })
        }
    }
}

/// Checks the directory before a daemon is launched for it, for a clear error.
fn check_directory(directory: &Path) -> anyhow::Result<()> {
    let context = || format!("cannot search {}", shown(directory));
    ensure!(
        fs::metadata(directory).with_context(context)?.is_dir(),
        "{} is not a directory; give the directory of the file",
        shown(directory)
    );
    fs::read_dir(directory).with_context(context)?;
    Ok(())
}

/// Prints the summary, on a terminal or if the answer may be incomplete.
fn report(summary: &Summary, verbose: bool) {
    let may_be_incomplete = summary.tree.unreadable + summary.tree.large > 0;
    if verbose || may_be_incomplete || io::stderr().is_terminal() {
        eprintln!("words: {summary}");
    }
    if verbose {
        eprintln!(
            "words: answered by process {}, which holds {}",
            summary.pid, summary.tree
        );
    } else if may_be_incomplete {
        eprintln!("words: --verbose lists the skipped files");
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_definition_is_valid() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn arguments_are_a_search_or_a_command() {
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
    fn missing_arguments_are_an_error() {
        for arguments in [
            &["words"][..],
            &["words", "dir"],
            &["words", "daemon"],
            &["words", "daemon", "dir", "word"],
        ] {
            let error = Arguments::try_parse_from(arguments).unwrap_err();
            assert_eq!(
                error.exit_code(),
                i32::from(ERROR),
                "{arguments:?}: {error}"
            );
        }
    }
}
