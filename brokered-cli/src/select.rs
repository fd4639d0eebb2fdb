//! Which instances the arguments mean.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use brokered_runtime::operator::{
    InstanceDirectory, Launcher, LockState, canonicalize, instance_directories, is_daemon_name,
    runtime_directories,
};

use crate::arguments::Target;
use crate::error::{CliError, NOT_RUNNING, USAGE};
use crate::text::sanitize;

/// How many instances the error of an ambiguous name lists.
const MAX_LISTED: usize = 20;

/// All instances that the target means.
pub(crate) fn find_all(target: &Target) -> Result<Vec<InstanceDirectory>, CliError> {
    if let Some(instance) = find_by_path(target)? {
        return Ok(vec![instance]);
    }
    if target.directory.is_some() || target.instance.is_some() {
        return find_exact(target);
    }
    let directories = instance_directories().map_err(CliError::failure)?;
    Ok(directories
        .instances
        .into_iter()
        .filter(|instance| has_name(instance, target))
        .collect())
}

/// The one instance that the target means. Of several, the only one that runs.
pub(crate) fn find_one(target: &Target) -> Result<InstanceDirectory, CliError> {
    let mut found = find_all(target)?;
    if found.len() > 1 {
        let mut running = found
            .iter()
            .filter(|instance| matches!(instance.lock_state(), Ok(LockState::Held)));
        return match (running.next(), running.next()) {
            (Some(instance), None) => Ok(instance.clone()),
            _ => Err(ambiguous(target, &found)),
        };
    }
    found.pop().ok_or_else(|| not_found(target))
}

/// The one instance that the target means. If there is none, where it would be.
pub(crate) fn find_or_derive(target: &Target) -> Result<InstanceDirectory, CliError> {
    match find_one(target) {
        Err(error) if error.code() == NOT_RUNNING => derive(target),
        found => found,
    }
}

/// A launcher of the instance that the target names, without the help of a record.
pub(crate) fn launcher(target: &Target) -> Result<Launcher, CliError> {
    let name = sanitize(&target.daemon);
    let launcher = Launcher::new(&name, target.contract.unwrap_or(1))
        .map_err(|error| CliError::new(USAGE, error))?;
    Ok(match (&target.directory, &target.instance) {
        (Some(directory), _) => launcher.directory(directory),
        (None, Some(name)) => launcher.instance(name),
        (None, None) => launcher,
    })
}

/// Where the instance that the target names is, or would be.
fn derive(target: &Target) -> Result<InstanceDirectory, CliError> {
    launcher(target)?
        .instance_directory()
        .map_err(|error| CliError::new(USAGE, error))
}

fn find_by_path(target: &Target) -> Result<Option<InstanceDirectory>, CliError> {
    if !target.daemon.contains('/') {
        return Ok(None);
    }
    let path = Path::new(&target.daemon);
    // `brokered path` prints the path of the endpoint, so that path means its directory.
    let directory = match path.file_name() {
        Some(name) if name == "socket" || name == "control" => path.parent().unwrap_or(path),
        _ => path,
    };
    let directory: PathBuf = std::path::absolute(directory)
        .map(|path| path.components().collect())
        .map_err(|error| CliError::new(USAGE, format!("{}: {error}", sanitize(&target.daemon))))?;
    if directory.is_dir() {
        return Ok(Some(InstanceDirectory::new(directory)));
    }
    let path = sanitize(&directory.to_string_lossy());
    let text = format!("the directory {path} does not exist");
    Err(CliError::new(NOT_RUNNING, text))
}

fn find_exact(target: &Target) -> Result<Vec<InstanceDirectory>, CliError> {
    let instance = derive(target)?;
    if instance.exists() {
        return Ok(vec![instance]);
    }
    if target.contract.is_some() {
        return Ok(vec![]);
    }
    // It may exist with another contract number than 1.
    let directory = target
        .directory
        .as_ref()
        .and_then(|path| canonicalize(path).ok());
    let directories = instance_directories().map_err(CliError::failure)?;
    let is_meant = |instance: &InstanceDirectory| {
        instance.read_record().record().is_some_and(|record| {
            record.name == target.daemon
                && record.directory == directory
                && record.instance == target.instance
        })
    };
    Ok(directories.instances.into_iter().filter(is_meant).collect())
}

/// Whether the target is the name of the instance directory, or the name of its daemon.
fn has_name(instance: &InstanceDirectory, target: &Target) -> bool {
    let (name, contract) = instance.read_record().record().map_or_else(
        || parse_directory_name(&instance.name()),
        |record| (record.name.clone(), record.contract),
    );
    let is_meant = instance.name() == target.daemon || name == target.daemon;
    is_meant && (target.contract.is_none() || target.contract == Some(contract))
}

/// The daemon's name and contract number in the name of an instance directory: `words.2-0123456789abcdef`.
fn parse_directory_name(directory: &str) -> (String, u32) {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|c| c.is_ascii_hexdigit());
    let name = match directory.rsplit_once('-') {
        Some((name, hash)) if is_hash(hash) => name,
        _ => directory,
    };
    let parsed = name
        .split_once('.')
        .and_then(|(name, contract)| Some((name, contract.parse().ok()?)));
    let (name, contract) = parsed.unwrap_or((name, 1));
    (name.to_owned(), contract)
}

/// The name in the record or, if the record went with the daemon, the name on the command line.
pub(crate) fn name_of(instance: &InstanceDirectory, target: &Target) -> String {
    match instance.read_record().record() {
        Some(record) => record.name.clone(),
        None if target.daemon.contains('/') => instance.name(),
        None => target.daemon.clone(),
    }
}

fn not_found(target: &Target) -> CliError {
    let name = sanitize(&target.daemon);
    let runtime = runtime_directories().ok();
    let runtime = runtime.and_then(|all| all.into_iter().next());
    let runtime = runtime.map_or_else(String::new, |path| format!(" in {}", path.display()));
    let hint = if is_daemon_name(&target.daemon) {
        "`brokered list --all` shows all daemons"
    } else {
        "a daemon's name consists of a to z, 0 to 9 and '-'"
    };
    CliError::new(
        NOT_RUNNING,
        format!("no daemon {name:?} has run{runtime}; {hint}"),
    )
}

fn ambiguous(target: &Target, found: &[InstanceDirectory]) -> CliError {
    let mut text = format!(
        "{} has {} instances; select one with --directory, --instance or --contract, or by one of these names:",
        sanitize(&target.daemon),
        found.len()
    );
    for instance in found.iter().take(MAX_LISTED) {
        let record = instance.read_record();
        let label = record.record().and_then(|record| {
            let directory = record.directory.as_ref();
            let directory = directory.map(|path| path.display().to_string());
            directory.or_else(|| record.instance.clone())
        });
        let label = label.map_or_else(String::new, |label| format!("  {}", sanitize(&label)));
        let _ = write!(text, "\n  {}{label}", sanitize(&instance.name()));
    }
    if found.len() > MAX_LISTED {
        let _ = write!(text, "\n  and {} more", found.len() - MAX_LISTED);
    }
    CliError::new(USAGE, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_directory_is_parsed() {
        for (directory, name, contract) in [
            ("words", "words", 1),
            ("words.2", "words", 2),
            ("words-0123456789abcdef", "words", 1),
            ("words.12-0123456789abcdef", "words", 12),
            ("words-2", "words-2", 1),
            ("words.x", "words.x", 1),
        ] {
            let expected = (name.to_owned(), contract);
            assert_eq!(parse_directory_name(directory), expected, "{directory}");
        }
    }
}
