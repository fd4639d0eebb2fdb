//! What a record tells, or why it tells nothing.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::fields::Fields;
use crate::record::Record;
use crate::{Phase, platform};

/// The longest record that is read. One of ours has a few hundred bytes.
const LONGEST: u64 = 64 * 1024;

/// The form of a record that is known here.
const FORMAT: u32 = 1;

/// How far ahead of this machine's clock a record may be before it is said.
const SKEW: Duration = Duration::from_secs(60);

/// What is in the place of a record.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// Nothing: no daemon has been here, or it ended as it should.
    Nothing,
    /// Who is bound, or was.
    Told(Box<DaemonRecord>),
    /// Something that tells nothing, and why.
    Unreadable(String),
}

/// Who is bound, where, since when, and in which phase.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields of a record, by their names")]
pub struct DaemonRecord {
    pub name: String,
    pub contract: u32,
    pub directory: Option<PathBuf>,
    pub instance: Option<String>,
    pub endpoint: PathBuf,
    pub pid: u32,
    pub phase: Phase,
    pub owner: &'static str,
    pub started: SystemTime,
    pub package: Option<String>,
    pub version: Option<String>,
    pub log: Option<PathBuf>,
    pub failure: Option<String>,
    pub program: Option<PathBuf>,
    pub arguments: Vec<OsString>,
}

impl Recorded {
    pub(super) fn read(path: &Path) -> Self {
        let file = match platform::open_regular(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::Nothing,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Self::Unreadable("it is no regular file".to_owned());
            }
            Err(error) => return Self::Unreadable(error.to_string()),
        };
        match text_of(file).and_then(|text| DaemonRecord::from_text(&text)) {
            Ok(record) => Self::Told(Box::new(record)),
            Err(why) => Self::Unreadable(why),
        }
    }

    /// The story, if there is one.
    #[must_use]
    pub fn record(&self) -> Option<&DaemonRecord> {
        match self {
            Self::Told(record) => Some(record),
            Self::Nothing | Self::Unreadable(_) => None,
        }
    }
}

fn text_of(file: File) -> Result<String, String> {
    // As long as one of ours ever is: it is read at once.
    let mut bytes = Vec::with_capacity(4096);
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("it is longer than {} KiB", LONGEST / 1024));
    }
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())
}

impl DaemonRecord {
    fn from_text(text: &str) -> Result<Self, String> {
        let fields = Fields::of(text);
        match fields.number::<u32>("FORMAT") {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => {
                return Err(format!(
                    "it has format {newer}, of a newer release; this one knows format {FORMAT}"
                ));
            }
            _ => return Err("it names no format: it is not a daemon's, or torn".to_owned()),
        }
        let record = Record::from_text(text).ok_or_else(|| lacks(&fields))?;
        Ok(Self::of(record))
    }

    fn of(record: Record) -> Self {
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
            failure: record.failure,
            program: record.program,
            arguments: record.arguments,
        }
    }

    /// How long ago the daemon started, by this machine's clock.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed().unwrap_or_default()
    }

    /// Whether it claims to have been written later than now.
    #[must_use]
    pub fn is_from_the_future(&self) -> bool {
        self.started
            .duration_since(SystemTime::now())
            .is_ok_and(|ahead| ahead > SKEW)
    }
}

/// Which of the fields that every record has is not there, or makes no sense.
fn lacks(fields: &Fields<'_>) -> String {
    const NEEDED: [&str; 7] = [
        "NAME", "CONTRACT", "ENDPOINT", "PID", "PHASE", "OWNER", "STARTED",
    ];
    match NEEDED.into_iter().find(|key| fields.bytes(key).is_none()) {
        Some(key) => format!("it lacks {key}: it is torn"),
        None => "a value in it makes no sense".to_owned(),
    }
}
