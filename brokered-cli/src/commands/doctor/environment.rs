//! Checks what all daemons of this user share: environment variables, the runtime directory, resource limits.

use std::env;
use std::fs;
use std::path::Path;

use brokered_runtime::operator::{fits_endpoint, open_files_limit, runtime_directories};

use super::finding::{Findings, Level};
use crate::inspect::remote_file_system;

/// With fewer open files, a daemon that serves many clients at once runs out of them.
const FEW_FILES: u64 = 1024;

/// With a shorter backlog, a thundering herd may be refused.
const SHORT_BACKLOG: u32 = 128;

/// The length of the longest usual name of an instance: 64 characters and a hash.
const LONGEST_NAME: usize = 64 + 17;

/// Checks the environment variables that change what clients and daemons do.
pub(super) fn check_variables(findings: &mut Findings) {
    const VARIABLES: [(&str, &str, &str); 4] = [
        (
            "BROKERED_LAUNCH",
            "a client in this environment starts no daemon, because it takes this process for a launched daemon",
            "`unset BROKERED_LAUNCH`, unless this is intended",
        ),
        (
            "BROKERED_ROLE",
            "a program that is both client and daemon becomes the daemon in this environment",
            "`unset BROKERED_ROLE`, unless this is intended",
        ),
        (
            "BROKERED_INSTANCE",
            "a daemon that is started by hand in this environment is this instance",
            "`unset BROKERED_INSTANCE`, unless this is intended",
        ),
        (
            "BROKERED_DISABLE",
            "clients in this environment use no daemon",
            "`unset BROKERED_DISABLE`, unless this is intended",
        ),
    ];
    for (name, text, advice) in VARIABLES {
        if let Some(value) = env::var_os(name) {
            let subject = format!("{name}={}", value.to_string_lossy());
            findings.add(Level::Warning, subject, text, advice);
        }
    }
}

/// Checks which directory is the runtime directory, and how long the names in it can be.
pub(super) fn check_runtime_directory(findings: &mut Findings) {
    let directories = match runtime_directories() {
        Ok(directories) => directories,
        Err(error) => {
            findings.add(
                Level::Problem,
                "runtime directory",
                error.to_string(),
                "set it to an absolute path, for daemons and for clients",
            );
            return;
        }
    };
    let Some(runtime) = directories.first() else {
        return;
    };
    let subject = runtime.display().to_string();
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let reason = ["BROKERED_RUNTIME_DIR", "XDG_RUNTIME_DIR"]
        .into_iter()
        .find(is_set)
        .map_or_else(
            || {
                "the default, because neither BROKERED_RUNTIME_DIR nor XDG_RUNTIME_DIR is set"
                    .to_owned()
            },
            |name| format!("set by {name}"),
        );
    findings.add_fine(&subject, format!("this is the runtime directory, {reason}"));
    if !runtime.exists() {
        findings.add(
            Level::Note,
            &subject,
            "it does not exist yet",
            "nothing: the first daemon or client creates it, for this user alone",
        );
    }
    check_name_length(runtime, directories.get(1).map(AsRef::as_ref), findings);
    for directory in &directories {
        check_file_system(directory, findings);
    }
}

/// Checks whether other machines share the directory. They then have the same files, and not the same processes.
fn check_file_system(directory: &Path, findings: &mut Findings) {
    let subject = directory.display().to_string();
    match remote_file_system(directory) {
        Some(kind) => findings.add(
            Level::Warning,
            subject,
            format!(
                "it is on a remote file system ({kind}): a socket there is reachable from one machine only, and the \
                 lock may hold on one machine only"
            ),
            "set BROKERED_RUNTIME_DIR to a directory on this machine, for daemons and clients",
        ),
        None => findings.add_fine(subject, "it is on a file system of this machine"),
    }
}

fn check_name_length(runtime: &Path, fallback: Option<&Path>, findings: &mut Findings) {
    let fits = |length: &usize| {
        let name = "x".repeat(*length);
        fits_endpoint(&runtime.join(name).join("control"))
    };
    let subject = runtime.display().to_string();
    match (1..=LONGEST_NAME).rev().find(fits) {
        Some(LONGEST_NAME) => findings.add_fine(subject, "the longest names of sockets fit"),
        longest => findings.add(
            Level::Note,
            subject,
            format!(
                "its path is long: an instance whose name has more than {} characters has its sockets in {}",
                longest.unwrap_or_default(),
                fallback.unwrap_or(runtime).display(),
            ),
            "nothing: daemons and clients agree on it. A shorter BROKERED_RUNTIME_DIR, for all of them, \
             keeps all files in one directory",
        ),
    }
}

/// Checks that this process may use sockets, which a sandbox can forbid.
#[cfg(unix)]
pub(super) fn check_sockets(findings: &mut Findings) {
    if let Err(error) = std::os::unix::net::UnixDatagram::unbound() {
        findings.add(
            Level::Problem,
            "sockets",
            format!("this process cannot create `AF_UNIX` sockets: {error}"),
            "allow them in the sandbox that this process runs in, or set BROKERED_DISABLE=1, so that clients \
             do without daemons",
        );
    }
}

#[cfg(not(unix))]
pub(super) fn check_sockets(_findings: &mut Findings) {}

/// Checks the limits of this process, which daemons that are started from here inherit.
pub(super) fn check_limits(findings: &mut Findings) {
    match open_files_limit() {
        Some(limit) if limit < FEW_FILES => findings.add(
            Level::Warning,
            "open files",
            format!("a process may have {limit} open files, and each client needs one"),
            "`ulimit -n 4096` where daemons are started, or LimitNOFILE= in a unit",
        ),
        Some(limit) => findings.add_fine(
            "open files",
            format!("a process may have {limit} open files"),
        ),
        None => findings.add_fine("open files", "a process may have any number of open files"),
    }
    let backlog = fs::read_to_string("/proc/sys/net/core/somaxconn").ok();
    if let Some(backlog) = backlog.and_then(|text| text.trim().parse::<u32>().ok()) {
        let subject = "net.core.somaxconn";
        let text = format!("the backlog of a daemon holds {backlog} clients at most");
        if backlog < SHORT_BACKLOG {
            findings.add(
                Level::Warning,
                subject,
                text,
                "`sysctl net.core.somaxconn=4096`, as root; it applies to daemons that start after that",
            );
        } else {
            findings.add_fine(subject, text);
        }
    }
}
