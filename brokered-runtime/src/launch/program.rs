//! Which executable to start, with which arguments and which environment.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::LaunchError;
use crate::identity::is_served_by_this_executable;
use crate::platform;
use crate::{Instance, Refusal, handoff};

/// Environment variables that belong to the client alone: make's job server, the repository whose git hook runs the
/// client, the sockets of a service manager, and the client's own role in a start.
const NOT_INHERITED: [&str; 20] = [
    "MAKEFLAGS",
    "MFLAGS",
    "CARGO_MAKEFLAGS",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
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
    if is_served_by_this_executable(instance.daemon())
        && let Some(name) = env::args_os().next()
    {
        // The path may be `/proc/self/exe`, which says nothing in a list of processes.
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

/// The executable that the client names; else this one, if it is also the daemon; else the one beside it.
fn program(instance: &Instance) -> Result<PathBuf, LaunchError> {
    let unknown = |source| LaunchError::Io {
        operation: "find this process's executable, whose directory has the daemon's:",
        path: PathBuf::from(env::args_os().next().unwrap_or_default()),
        refusal: None,
        source,
    };
    let daemon = instance.daemon();
    if let Some(program) = &instance.launch.program {
        // Absolute, because the daemon starts in another working directory.
        return std::path::absolute(program).map_err(unknown);
    }
    let current = platform::current_executable().map_err(unknown)?;
    if is_served_by_this_executable(daemon) {
        return Ok(current);
    }
    let current = env::current_exe().unwrap_or(current);
    // On macOS this may be a symbolic link, and the daemon is beside its target.
    let current = platform::canonicalize(&current).unwrap_or(current);
    Ok(current.with_file_name(format!("{}{}", daemon.name(), env::consts::EXE_SUFFIX)))
}

/// Finds out why a program could not be started in a directory.
pub(super) fn start_error(
    instance: &Instance,
    program: &OsStr,
    directory: &Path,
    error: io::Error,
) -> LaunchError {
    let program = Path::new(program).to_owned();
    // The system also reports `NotFound` for a working directory or an interpreter that does not exist.
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
            refusal: Refusal::of_program(&error, &program),
            program,
            source: error,
        }
    }
}
