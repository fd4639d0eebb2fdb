//! `--help` and `--version`. The answers need only constants and the computed endpoint; nothing is created.

use std::env;
use std::ffi::OsString;

use super::adopt;
use super::program::{Help, Program};
use crate::{Daemon, InstanceError, platform};

/// The answer, if the only argument is `--help` or `--version`.
pub(super) fn answer(program: &Program) -> Option<String> {
    let mut arguments = env::args_os().skip(1);
    let (Some(argument), None) = (arguments.next(), arguments.next()) else {
        return None;
    };
    answer_to(program, &argument)
}

fn answer_to(program: &Program, argument: &OsString) -> Option<String> {
    match (argument.to_str()?, program.help) {
        (_, Help::None) => None,
        ("--version", _) => Some(format!("{} {}\n", program.package, program.version)),
        ("--help", Help::Text(text)) => Some(text.to_owned()),
        ("--help", Help::Generated) => Some(generated(program)),
        _ => None,
    }
}

fn generated(program: &Program) -> String {
    let Program {
        daemon,
        package,
        version,
        description,
        ..
    } = *program;
    let about = match description {
        "" => String::new(),
        description => format!("{description}\n\n"),
    };
    let instance = if daemon.is_per_directory() {
        "the directory to serve; there is one daemon for each directory"
    } else {
        "the name of the instance, unless it is the default one"
    };
    format!(
        "{package} {version}\n{about}\
         A daemon on a local socket. It serves until {asks} it to end.\n\
         \n\
         Usage: {name} [--help | --version]\n\
         \n\
         Endpoint:\n  {endpoint}\n\
         \n\
         Environment:\n  \
           BROKERED_RUNTIME_DIR  where endpoints, records and logs are; mode 0700, an absolute path\n  \
           BROKERED_INSTANCE     {instance}\n\
         \n\
         Exit codes:\n  \
            0  asked to end\n  \
            1  main returned an error\n  \
           64  the instance or the endpoint is invalid\n  \
           69  another process has bound the endpoint, and keeps serving\n  \
           70  a state failed to load, or main was called twice\n  \
           71  the endpoint cannot be bound\n  \
           73  the directory, the lock or the record cannot be created\n  \
          101  main panicked\n",
        name = daemon.name(),
        asks = platform::STOP_HINT,
        endpoint = endpoint(daemon),
    )
}

fn endpoint(daemon: Daemon) -> String {
    match adopt::instance_from_environment(daemon).endpoint() {
        Ok(endpoint) => endpoint.display().to_string(),
        Err(InstanceError::NoDirectory { .. }) => {
            "one for each directory; set BROKERED_INSTANCE=<directory> to see it here".to_owned()
        }
        Err(error) => format!("unknown: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program {
        daemon: Daemon::new("indexd"),
        package: "indexer",
        version: "1.2.3",
        description: "Indexes",
        help: Help::Generated,
        panics_abort: false,
    };

    fn answer(program: &Program, argument: &str) -> Option<String> {
        answer_to(program, &argument.into())
    }

    #[test]
    fn help_lists_environment_and_exit_codes() {
        let help = answer(&PROGRAM, "--help").expect("an answer");
        for part in ["indexer 1.2.3\nIndexes\n", "BROKERED_RUNTIME_DIR", "  69  "] {
            assert!(help.contains(part), "{part:?} is missing in\n{help}");
        }
    }

    #[test]
    fn other_arguments_are_left_to_the_daemon() {
        assert_eq!(answer(&PROGRAM, "--helpful"), None);
        assert_eq!(answer(&PROGRAM, "-h"), None);
        let own = Program {
            help: Help::None,
            ..PROGRAM
        };
        assert_eq!(answer(&own, "--help"), None);
        assert_eq!(answer(&own, "--version"), None);
    }

    #[test]
    fn a_custom_text_replaces_help_but_not_version() {
        let own = Program {
            help: Help::Text("mine"),
            ..PROGRAM
        };
        assert_eq!(answer(&own, "--help").as_deref(), Some("mine"));
        assert_eq!(
            answer(&own, "--version").as_deref(),
            Some("indexer 1.2.3\n")
        );
    }
}
