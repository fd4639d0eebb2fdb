//! Which executable to start, and with what.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::LaunchError;
use crate::identity::is_served_here;
use crate::{Instance, handoff, platform};

/// What belongs to the client alone: make's job server, a service manager's sockets, and which part this
/// process has in a start of its own.
const NOT_INHERITED: [&str; 12] = [
    "MAKEFLAGS",
    "MFLAGS",
    "CARGO_MAKEFLAGS",
    "NOTIFY_SOCKET",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    handoff::ROLE,
    handoff::INSTANCE,
];

/// The daemon's executable with its arguments and its environment.
pub(super) fn command(instance: &Instance) -> Result<Command, LaunchError> {
    let program = program(instance)?;
    let mut command = Command::new(&program);
    if is_served_here(instance.daemon())
        && let Some(name) = env::args_os().next()
    {
        // Else process lists would show the name under which a replaced executable is still reached.
        platform::set_arg0(&mut command, &name);
    }
    let launch = &instance.launch;
    command.args(&launch.arguments);
    if launch.clear_environment {
        command.env_clear();
    }
    for variable in NOT_INHERITED {
        command.env_remove(variable);
    }
    for (variable, value) in &launch.environment {
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
    }
    Ok(command)
}

/// The explicit executable, or this one if it is also the daemon, or the one beside it.
fn program(instance: &Instance) -> Result<PathBuf, LaunchError> {
    let unknown = |source| LaunchError::Io {
        doing: "find the executable of this process, beside which the daemon would be:",
        path: PathBuf::from(env::args_os().next().unwrap_or_default()),
        source,
    };
    let daemon = instance.daemon();
    if let Some(program) = &instance.launch.program {
        // The daemon's working directory is another one.
        return std::path::absolute(program).map_err(unknown);
    }
    let current = platform::current_executable().map_err(unknown)?;
    if is_served_here(daemon) {
        return Ok(current);
    }
    let beside = env::current_exe().map_err(unknown)?;
    Ok(beside.with_file_name(format!("{}{}", daemon.name(), env::consts::EXE_SUFFIX)))
}

/// Why a program could not be started in a directory.
pub(super) fn not_started(
    instance: &Instance,
    program: &OsStr,
    directory: &Path,
    error: io::Error,
) -> LaunchError {
    let program = Path::new(program).to_owned();
    // `NotFound` is also said of a working directory or an interpreter that is not there.
    if error.kind() == io::ErrorKind::NotFound && !program.exists() {
        LaunchError::ProgramMissing {
            daemon: instance.daemon().name(),
            tried: vec![program],
        }
    } else if let Err(source) = fs::metadata(directory.join(".")) {
        LaunchError::WorkingDirectory {
            directory: directory.to_owned(),
            source,
        }
    } else {
        LaunchError::ProgramNotExecutable {
            program,
            source: error,
        }
    }
}
