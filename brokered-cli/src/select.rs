//! Which instance is meant.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use brokered_runtime::operator::{
    InstanceDirectory, Launch, Lock, canonicalize, instance_directories, is_name,
};

use crate::arguments::Target;
use crate::error::{CliError, NOT_RUNNING, USAGE};
use crate::output::tame;

/// All instances that are meant. None is none that has ever run.
pub(crate) fn all(target: &Target) -> Result<Vec<InstanceDirectory>, CliError> {
    if let Some(place) = by_path(target)? {
        return Ok(vec![place]);
    }
    if target.directory.is_some() || target.instance.is_some() {
        return exactly(target);
    }
    let directories = instance_directories().map_err(CliError::failed)?;
    Ok(directories
        .found
        .into_iter()
        .filter(|place| is_meant(target, place))
        .collect())
}

/// The one instance that is meant: of several, the one that runs.
pub(crate) fn one(target: &Target) -> Result<InstanceDirectory, CliError> {
    let mut found = all(target)?;
    if found.len() > 1 {
        let runs = |place: &InstanceDirectory| matches!(place.lock(), Ok(Lock::Held));
        let running: Vec<InstanceDirectory> =
            found.iter().filter(|place| runs(place)).cloned().collect();
        if running.len() == 1 {
            return Ok(running[0].clone());
        }
        return Err(ambiguous(target, &found));
    }
    found.pop().ok_or_else(|| unknown(target))
}

/// The one instance that is meant, or the one that it would be if it ran.
pub(crate) fn one_or_new(target: &Target) -> Result<InstanceDirectory, CliError> {
    match one(target) {
        Err(trouble) if trouble.code() == NOT_RUNNING => launch(target)?
            .place()
            .map_err(|error| CliError::new(USAGE, error.to_string())),
        found => found,
    }
}

/// How to start what is meant, by the words of the command line alone.
pub(crate) fn launch(target: &Target) -> Result<Launch, CliError> {
    let name = &target.daemon;
    let launch = Launch::new(
        name,
        target.contract.unwrap_or(1),
        target.directory.as_deref(),
        target.instance.as_deref(),
    );
    launch.ok_or_else(|| {
        CliError::new(
            USAGE,
            format!(
                "{:?} is no daemon's name: those are made of a to z, 0 to 9 and '-'",
                tame(name)
            ),
        )
    })
}

fn by_path(target: &Target) -> Result<Option<InstanceDirectory>, CliError> {
    if !target.daemon.contains('/') {
        return Ok(None);
    }
    let path = Path::new(&target.daemon);
    // An endpoint's path, which `brokered path` prints, means its directory.
    let directory = match path.file_name() {
        Some(name) if name == "socket" || name == "control" => path.parent().unwrap_or(path),
        _ => path,
    };
    let directory: PathBuf = std::path::absolute(directory)
        .map(|path| path.components().collect())
        .map_err(|error| CliError::new(USAGE, format!("{}: {error}", tame(&target.daemon))))?;
    if directory.is_dir() {
        Ok(Some(InstanceDirectory::at(directory)))
    } else {
        Err(CliError::new(
            NOT_RUNNING,
            format!(
                "there is no directory {}",
                tame(&directory.to_string_lossy())
            ),
        ))
    }
}

fn exactly(target: &Target) -> Result<Vec<InstanceDirectory>, CliError> {
    let place = launch(target)?
        .place()
        .map_err(|error| CliError::new(USAGE, error.to_string()))?;
    if place.exists() || target.contract.is_some() {
        return Ok(if place.exists() { vec![place] } else { vec![] });
    }
    // It may be there with another contract than the first.
    let directory = target
        .directory
        .as_ref()
        .and_then(|path| canonicalize(path).ok());
    let directories = instance_directories().map_err(CliError::failed)?;
    let is_it = |place: &InstanceDirectory| {
        place.recorded().record().is_some_and(|record| {
            record.name == target.daemon
                && record.directory == directory
                && record.instance == target.instance
        })
    };
    Ok(directories
        .found
        .into_iter()
        .filter(|place| is_it(place))
        .collect())
}

/// Whether a name means an instance: its directory's own name, or its daemon's.
fn is_meant(target: &Target, place: &InstanceDirectory) -> bool {
    let (name, contract) = place.recorded().record().map_or_else(
        || taken_apart(&place.name()),
        |record| (record.name.clone(), record.contract),
    );
    let is_it = place.name() == target.daemon || name == target.daemon;
    is_it && (target.contract.is_none() || target.contract == Some(contract))
}

/// The daemon's name and contract in the name of an instance's directory: `words.2-0123456789abcdef`.
fn taken_apart(directory: &str) -> (String, u32) {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|c| c.is_ascii_hexdigit());
    let rest = match directory.rsplit_once('-') {
        Some((rest, hash)) if is_hash(hash) => rest,
        _ => directory,
    };
    match rest.split_once('.') {
        Some((name, contract)) => match contract.parse() {
            Ok(contract) => (name.to_owned(), contract),
            Err(_) => (rest.to_owned(), 1),
        },
        None => (rest.to_owned(), 1),
    }
}

fn unknown(target: &Target) -> CliError {
    let name = tame(&target.daemon);
    let runtime = brokered_runtime::operator::runtime_directories();
    let place = runtime.ok().and_then(|all| all.into_iter().next());
    let place = place.map_or_else(String::new, |path| format!(" in {}", path.display()));
    let hint = if is_name(&target.daemon) {
        "`brokered list --all` tells what has"
    } else {
        "and none could: daemons' names are made of a to z, 0 to 9 and '-'"
    };
    CliError::new(
        NOT_RUNNING,
        format!("no daemon {name:?} has run{place}; {hint}"),
    )
}

fn ambiguous(target: &Target, found: &[InstanceDirectory]) -> CliError {
    let mut text = format!(
        "{} is {} instances; say which, with --directory, --instance or --contract, or by one of these:",
        tame(&target.daemon),
        found.len()
    );
    for place in found.iter().take(20) {
        let recorded = place.recorded();
        let of = recorded.record().and_then(|record| {
            let directory = record
                .directory
                .as_ref()
                .map(|path| path.display().to_string());
            directory.or_else(|| record.instance.clone())
        });
        let of = of.map_or_else(String::new, |of| format!("  {}", tame(&of)));
        let _ = write!(text, "\n  {}{of}", tame(&place.name()));
    }
    if found.len() > 20 {
        let _ = write!(text, "\n  and {} more", found.len() - 20);
    }
    CliError::new(USAGE, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directorys_name_is_taken_apart() {
        let apart = |name: &str| taken_apart(name);
        assert_eq!(apart("words"), ("words".to_owned(), 1));
        assert_eq!(apart("words.2"), ("words".to_owned(), 2));
        assert_eq!(apart("words-0123456789abcdef"), ("words".to_owned(), 1));
        assert_eq!(apart("words.12-0123456789abcdef"), ("words".to_owned(), 12));
        assert_eq!(apart("words-2"), ("words-2".to_owned(), 1));
        assert_eq!(apart("words.x"), ("words.x".to_owned(), 1));
    }
}
