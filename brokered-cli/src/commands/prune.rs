//! `brokered prune`: the instances that are no longer used, and the removal of their directories.

use std::path::{Path, PathBuf};
use std::time::Duration;

use brokered_runtime::operator::{DaemonRecord, RecordState, instance_directories};
use serde_json::{Value, json};

use crate::arguments::Prune;
use crate::duration::format;
use crate::error::{CliError, FAILURE, SUCCESS};
use crate::inspect::{FileSystem, Inspection, State, inspect_all};
use crate::output::Output;
use crate::style;
use crate::table::{Cell, Column, Table};
use crate::text::sanitize;

/// The time after which an instance counts as no longer used if its directory is gone. A drive may be unplugged for a
/// while.
const DAY: Duration = Duration::from_secs(86_400);

/// An instance that is no longer used.
struct Unused {
    instance: Inspection,
    reason: Reason,
    /// How long its files have not changed.
    unchanged_for: Duration,
    /// Why its directory was not removed, if that was tried.
    error: Option<String>,
}

/// Why an instance counts as no longer used.
enum Reason {
    /// The directory that it is for does not exist any more.
    DirectoryGone(PathBuf),
    /// The last daemon ended cleanly, long ago.
    Ended,
    /// The last daemon failed or was killed, long ago.
    Failed,
}

pub(crate) fn prune(arguments: &Prune, output: &mut Output) -> Result<u8, CliError> {
    let directories = instance_directories().map_err(CliError::failure)?;
    let mut file_system = FileSystem::new(arguments.timeout);
    let mut unused: Vec<Unused> = inspect_all(&directories.instances, arguments.timeout)
        .into_iter()
        .filter_map(|instance| unused(instance, arguments.older_than, &mut file_system))
        .collect();
    unused.sort_by_cached_key(|unused| (unused.instance.name(), unused.instance.label()));
    if arguments.remove {
        for unused in &mut unused {
            let removed = unused.instance.instance.remove();
            unused.error = removed.err().map(|error| error.to_string());
        }
    }
    if output.is_json() {
        let unused: Vec<Value> = unused
            .iter()
            .map(|unused| to_json(unused, arguments.remove))
            .collect();
        output.json(&json!({ "instances": unused }))?;
    } else {
        print(&unused, arguments.remove, output)?;
    }
    Ok(if unused.iter().any(|unused| unused.error.is_some()) {
        FAILURE
    } else {
        SUCCESS
    })
}

fn unused(
    instance: Inspection,
    older_than: Duration,
    file_system: &mut FileSystem,
) -> Option<Unused> {
    if !matches!(instance.state, State::Ended) {
        return None;
    }
    let record = instance.record();
    if record.is_some_and(DaemonRecord::is_of_service_manager) {
        return None;
    }
    let unchanged_for = instance.instance.unchanged_for().ok()?;
    let gone = record
        .and_then(|record| record.directory.clone())
        .filter(|directory| file_system.is_gone(directory));
    let reason = match gone {
        Some(directory) if unchanged_for >= older_than.min(DAY) => Reason::DirectoryGone(directory),
        _ if unchanged_for < older_than => return None,
        _ => match instance.record_state() {
            RecordState::Missing => Reason::Ended,
            RecordState::Valid(_) | RecordState::Invalid(_) => Reason::Failed,
        },
    };
    Some(Unused {
        instance,
        reason,
        unchanged_for,
        error: None,
    })
}

impl Reason {
    /// The word in JSON.
    fn as_str(&self) -> &'static str {
        match self {
            Self::DirectoryGone(_) => "directory gone",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::DirectoryGone(directory) => {
                format!("its directory {} is gone", directory.display())
            }
            Self::Ended => "it ended, and was not started again".to_owned(),
            Self::Failed => "it failed or was killed, and was not started again".to_owned(),
        }
    }
}

fn to_json(unused: &Unused, was_tried: bool) -> Value {
    let directory = match &unused.reason {
        Reason::DirectoryGone(directory) => Some(directory.as_path()),
        Reason::Ended | Reason::Failed => unused.instance.directory(),
    };
    json!({
        "name": unused.instance.name(),
        "path": unused.instance.instance.path().to_string_lossy(),
        "directory": directory.map(Path::to_string_lossy),
        "instance": unused.instance.instance_name(),
        "reason": unused.reason.as_str(),
        "unchanged_seconds": unused.unchanged_for.as_secs(),
        "removed": was_tried && unused.error.is_none(),
        "error": unused.error,
    })
}

fn print(unused: &[Unused], was_tried: bool, output: &mut Output) -> Result<(), CliError> {
    if unused.is_empty() {
        return output.note(style::DIMMED, "each instance is in use, or was lately");
    }
    let mut table = Table::new([
        Column::left("INSTANCE"),
        Column::right("UNCHANGED"),
        Column::left("WHY").shrinking(),
    ]);
    for unused in unused {
        table.push([
            Cell::from(unused.instance.instance.name()),
            Cell::from(format(unused.unchanged_for)),
            Cell::from(unused.reason.describe()),
        ]);
    }
    output.table(&table)?;
    for unused in unused {
        if let Some(error) = &unused.error {
            let name = sanitize(&unused.instance.instance.name());
            let text = format!(": not removed: {}", sanitize(error));
            output.remark(style::ERROR, &name, &text)?;
        }
    }
    let total = unused.len();
    let failed = unused.iter().filter(|unused| unused.error.is_some());
    let removed = total - failed.count();
    let text = match (was_tried, total) {
        (true, _) => format!("{removed} of {total} removed"),
        (false, 1) => "with `--remove`, this removes its directory, with the log in it".to_owned(),
        (false, _) => format!(
            "with `--remove`, this removes these {total} directories, with the logs in them"
        ),
    };
    output.note(style::DIMMED, &text)
}
