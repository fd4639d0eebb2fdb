//! [`RecordState`] and [`DaemonRecord`]: what the record of an instance says.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::fields::Fields;
use crate::record::Record;
use crate::{Phase, platform};

/// The longest record that is read. A daemon's record has a few hundred bytes.
const MAX_LENGTH: u64 = 64 * 1024;

/// The format of a record that this version reads.
const FORMAT: u32 = 1;

/// How far the time in a record may be ahead of this machine's clock.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// The record of an instance, as [`InstanceDirectory::read_record`](super::InstanceDirectory::read_record) finds it.
#[derive(Debug, Clone)]
pub enum RecordState {
    /// There is no record: no daemon has run here, or the last one ended cleanly.
    Missing,
    /// The record is valid. It describes the daemon that is bound or, with the lock free, the last one.
    Valid(Box<DaemonRecord>),
    /// There is a file, which is not a valid record, and why. The text is for people.
    Invalid(String),
}

/// A record: which process is bound, where, since when, and in which phase.
///
/// With the instance lock free, this is a stale record: its process has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DaemonRecord {
    /// The name of the daemon.
    pub name: String,
    /// Its contract number.
    pub contract: u32,
    /// The directory that the instance is for, of a daemon that has one instance for each directory.
    pub directory: Option<PathBuf>,
    /// The name of the instance, if it has one.
    pub instance: Option<String>,
    /// The endpoint.
    pub endpoint: PathBuf,
    /// The process ID.
    pub pid: u32,
    /// The phase when the record was last written. [`Phase::Failed`] if the daemon ended with a failure.
    pub phase: Phase,
    /// What started the daemon: `launcher`, `hand`, `systemd` or `launchd`.
    pub owner: &'static str,
    /// When the daemon was bound.
    pub started: SystemTime,
    /// The package that the daemon was built from.
    pub package: Option<String>,
    /// The version of the package.
    pub version: Option<String>,
    /// The file that receives the output, if a launcher started the daemon.
    pub log: Option<PathBuf>,
    /// The size in bytes beyond which the log is rotated, or 0 if it never is. `None` if no launcher of this or a later
    /// release started the daemon.
    pub max_log_size: Option<u64>,
    /// Why the daemon failed.
    pub failure: Option<String>,
    /// The executable.
    pub program: Option<PathBuf>,
    /// The arguments that the executable was started with.
    pub arguments: Vec<OsString>,
}

impl RecordState {
    pub(super) fn read(path: &Path) -> Self {
        let file = match platform::open_regular(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::Missing,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Self::Invalid("it is not a regular file".to_owned());
            }
            Err(error) => return Self::Invalid(error.to_string()),
        };
        match text_of(file).and_then(|text| DaemonRecord::from_text(&text)) {
            Ok(record) => Self::Valid(Box::new(record)),
            Err(reason) => Self::Invalid(reason),
        }
    }

    /// The record, if it is valid.
    #[must_use]
    pub fn record(&self) -> Option<&DaemonRecord> {
        match self {
            Self::Valid(record) => Some(record),
            Self::Missing | Self::Invalid(_) => None,
        }
    }
}

fn text_of(file: File) -> Result<String, String> {
    // A record of the usual length is read by one system call.
    let mut bytes = Vec::with_capacity(4096);
    file.take(MAX_LENGTH + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(format!("it is longer than {} KiB", MAX_LENGTH / 1024));
    }
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "it is not valid UTF-8".to_owned())
}

impl DaemonRecord {
    fn from_text(text: &str) -> Result<Self, String> {
        let fields = Fields::of(text);
        match fields.number::<u32>("FORMAT") {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => {
                return Err(format!(
                    "it has format {newer}, of a newer release; this release reads format {FORMAT}"
                ));
            }
            _ => return Err("FORMAT is missing: it is incomplete, or not a record".to_owned()),
        }
        let record = Record::from_text(text).ok_or_else(|| invalid_reason(&fields))?;
        Ok(Self::from_record(record))
    }

    fn from_record(record: Record) -> Self {
        Self {
            name: record.name,
            contract: record.contract,
            directory: record.directory,
            instance: record.instance,
            endpoint: record.endpoint,
            pid: record.pid,
            phase: record.phase,
            owner: record.owner.as_str(),
            started: record.started,
            package: record.package,
            version: record.version.filter(|version| !version.is_empty()),
            log: record.log,
            max_log_size: record.max_log_size,
            failure: record.failure,
            program: record.program,
            arguments: record.arguments,
        }
    }

    /// How long ago the daemon was bound, by this machine's clock. Zero if the clock was set back since.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed().unwrap_or_default()
    }

    /// Whether a service manager starts the daemon. It then owns the endpoint, and the record stays after a clean end.
    #[must_use]
    pub fn is_of_service_manager(&self) -> bool {
        matches!(self.owner, "systemd" | "launchd")
    }

    /// Whether the time in the record is more than a minute ahead of this machine's clock.
    #[must_use]
    pub fn is_ahead_of_clock(&self) -> bool {
        self.started
            .duration_since(SystemTime::now())
            .is_ok_and(|ahead| ahead > CLOCK_TOLERANCE)
    }
}

/// Which required field is missing or not valid.
fn invalid_reason(fields: &Fields<'_>) -> String {
    const REQUIRED: [&str; 7] = [
        "NAME", "CONTRACT", "ENDPOINT", "PID", "PHASE", "OWNER", "STARTED",
    ];
    match REQUIRED.into_iter().find(|key| fields.bytes(key).is_none()) {
        Some(key) => format!("{key} is missing: it is incomplete"),
        None => "one of its values is not valid".to_owned(),
    }
}
