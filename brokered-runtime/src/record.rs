//! The record: the lockfile's readable half. Who is bound, where, since when, and in which phase.
//!
//! One writer, the holder of the instance lock. With the lock free, a record is history, not news.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::fields::{Fields, Lines, from_unix_time, unix_time};
use crate::identity::paths::Paths;
use crate::{Instance, Phase, platform};

/// The longest record that is read. One of ours has a few hundred bytes.
const LONGEST: u64 = 64 * 1024;

/// Who is bound, where, since when, and in which phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) contract: u32,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) instance: Option<String>,
    pub(crate) endpoint: PathBuf,
    pub(crate) pid: u32,
    pub(crate) phase: Phase,
    pub(crate) owner: Owner,
    pub(crate) started: SystemTime,
    /// The same by the clock that counts from the machine's start, which nobody sets: a process that is
    /// younger than this is not the one that wrote the record.
    pub(crate) since_boot: Option<Duration>,
    /// Whether the daemon answers on `control`. A hand-written backend does not.
    pub(crate) has_control: bool,
    pub(crate) package: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) log: Option<PathBuf>,
    pub(crate) failure: Option<String>,
    /// How it ended, in words, if its launcher saw that.
    pub(crate) exit: Option<String>,
    /// The executable, as the daemon's own process knows it.
    pub(crate) program: Option<PathBuf>,
    /// What it was started with, beside its name.
    pub(crate) arguments: Vec<OsString>,
    /// How long the process lived before its `main`, as far as the platform says.
    pub(crate) premain: Option<Duration>,
    /// How many threads it had before the runtime started one.
    pub(crate) premain_threads: Option<u32>,
}

/// Who started the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A client's `connect_or_spawn`.
    Launcher,
    /// Somebody else: a person, a script.
    Hand,
    /// systemd, whose the endpoint is.
    Systemd,
    /// launchd, whose the endpoint is.
    Launchd,
}

impl Record {
    /// The record of this process, as one that was started by hand.
    pub(crate) fn of_this_process(instance: &Instance, endpoint: PathBuf) -> Self {
        let daemon = instance.daemon();
        Self {
            name: daemon.name().to_owned(),
            contract: daemon.contract_number(),
            directory: daemon
                .is_per_directory()
                .then(|| instance.directory().to_owned()),
            instance: instance.name().map(str::to_owned),
            endpoint,
            pid: std::process::id(),
            phase: Phase::Bound,
            owner: Owner::Hand,
            started: SystemTime::now(),
            since_boot: Some(platform::uptime()),
            has_control: true,
            package: None,
            version: None,
            log: None,
            failure: None,
            exit: None,
            program: None,
            arguments: Vec::new(),
            premain: None,
            premain_threads: None,
        }
    }

    /// Adds how this process was started, so that it can be started again. Not on the way to `BOUND`: the
    /// system has to be asked.
    pub(crate) fn note_program(&mut self) {
        if self.program.is_none() {
            self.program = env::current_exe().ok();
            self.arguments = env::args_os().skip(1).collect();
        }
    }

    /// Writes the record in the place of the one before.
    pub(crate) fn write(&self, paths: &Paths) -> Result<(), RecordError> {
        let path = paths.record();
        platform::replace_file(&path, &paths.new_record(), self.to_text().as_bytes())
            .map_err(|source| RecordError { path, source })
    }

    /// Reads the record of an instance. `None` if there is none, or none that makes sense.
    pub(crate) fn read(paths: &Paths) -> Option<Self> {
        Self::from_text(&read_limited(&paths.record()).ok()?)
    }

    /// How long ago the daemon started, for people to read.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed().unwrap_or_default()
    }

    pub(crate) fn to_text(&self) -> String {
        let mut lines = Lines::default();
        lines
            .push_number("FORMAT", 1_u32)
            .push("NAME", &self.name)
            .push_number("CONTRACT", self.contract)
            .push_path("ENDPOINT", &self.endpoint)
            .push_number("PID", self.pid)
            .push("PHASE", self.phase.as_str())
            .push("OWNER", self.owner.as_str())
            .push("STARTED", unix_time(self.started));
        if let Some(since_boot) = self.since_boot {
            let micros = u64::try_from(since_boot.as_micros()).unwrap_or(u64::MAX);
            lines.push_number("STARTED_AFTER_BOOT_US", micros);
        }
        if !self.has_control {
            lines.push("CONTROL", "none");
        }
        if let Some(directory) = &self.directory {
            lines.push_path("DIRECTORY", directory);
        }
        if let Some(log) = &self.log {
            lines.push_path("LOG", log);
        }
        for (key, value) in [
            ("INSTANCE", &self.instance),
            ("PACKAGE", &self.package),
            ("VERSION", &self.version),
            ("FAILURE", &self.failure),
            ("EXIT", &self.exit),
        ] {
            if let Some(value) = value {
                lines.push(key, value);
            }
        }
        if let Some(program) = &self.program {
            lines.push_path("PROGRAM", program);
        }
        for argument in &self.arguments {
            lines.push_path("ARGUMENT", Path::new(argument));
        }
        if let Some(premain) = self.premain {
            let microseconds = u64::try_from(premain.as_micros()).unwrap_or(u64::MAX);
            lines.push_number("PREMAIN_US", microseconds);
        }
        if let Some(threads) = self.premain_threads {
            lines.push_number("PREMAIN_THREADS", threads);
        }
        lines.into_string()
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let fields = Fields::of(text);
        Some(Self {
            name: fields.text("NAME")?,
            contract: fields.number("CONTRACT")?,
            directory: fields.path("DIRECTORY"),
            instance: fields.text("INSTANCE"),
            endpoint: fields.path("ENDPOINT")?,
            pid: fields.number("PID")?,
            phase: fields.text("PHASE")?.parse().ok()?,
            owner: Owner::from_text(&fields.text("OWNER")?)?,
            started: from_unix_time(&fields.text("STARTED")?)?,
            since_boot: fields
                .number("STARTED_AFTER_BOOT_US")
                .map(Duration::from_micros),
            has_control: fields.text("CONTROL").as_deref() != Some("none"),
            package: fields.text("PACKAGE"),
            version: fields.text("VERSION"),
            log: fields.path("LOG"),
            failure: fields.text("FAILURE"),
            exit: fields.text("EXIT"),
            program: fields.path("PROGRAM"),
            arguments: fields
                .paths("ARGUMENT")
                .map(PathBuf::into_os_string)
                .collect(),
            premain: fields.number("PREMAIN_US").map(Duration::from_micros),
            premain_threads: fields.number("PREMAIN_THREADS"),
        })
    }
}

impl Owner {
    /// Whether it is a service manager, which keeps the endpoint when the daemon has ended.
    pub(crate) fn is_manager(self) -> bool {
        matches!(self, Self::Systemd | Self::Launchd)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Launcher => "launcher",
            Self::Hand => "hand",
            Self::Systemd => "systemd",
            Self::Launchd => "launchd",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        [Self::Launcher, Self::Hand, Self::Systemd, Self::Launchd]
            .into_iter()
            .find(|owner| owner.as_str() == text)
    }
}

fn read_limited(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    platform::open_regular(path)?
        .take(LONGEST)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// A record that could not be written. A daemon without one could not be found, so it does not serve.
#[derive(Debug)]
pub(crate) struct RecordError {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot write the record {}: {}; a daemon that is not recorded cannot be found, so it does \
             not serve: make room, or set BROKERED_RUNTIME_DIR to a directory on another file system",
            self.path.display(),
            self.source
        )
    }
}

impl Error for RecordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn record() -> Record {
        Record {
            name: "words".to_owned(),
            contract: 3,
            directory: Some(PathBuf::from("/srv/with\nnewline")),
            instance: None,
            endpoint: PathBuf::from("/run/user/1000/brokered/words.3/socket"),
            pid: 4711,
            phase: Phase::Ready,
            owner: Owner::Launcher,
            started: UNIX_EPOCH + Duration::from_millis(1_700_000_000_007),
            since_boot: Some(Duration::from_micros(123_456_789)),
            has_control: false,
            package: Some("words".to_owned()),
            version: Some("1.2.3".to_owned()),
            log: None,
            failure: Some("100% of\nthe disk".to_owned()),
            exit: Some("exit status: 70".to_owned()),
            program: Some(PathBuf::from("/opt/words 2/words")),
            arguments: vec!["--quick".into(), "".into(), "a\nb=c".into()],
            premain: Some(Duration::from_micros(1_234)),
            premain_threads: Some(2),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Record::from_text(&record().to_text()), Some(record()));
    }

    #[test]
    fn a_torn_record_is_none() {
        let text = record().to_text();
        for length in 0..text.len() {
            let Some(torn) = text.get(..length) else {
                continue;
            };
            if let Some(read) = Record::from_text(torn) {
                // Only fields that a record may lack can be missing from one that is read.
                assert_eq!((read.pid, read.phase), (4711, Phase::Ready), "{torn}");
            }
        }
        assert_eq!(Record::from_text("\0\0\0"), None);
    }

    #[test]
    fn a_time_beyond_all_clocks_is_none() {
        let text = record().to_text();
        let beyond = text.replace("1700000000.007000", "18446744073709551615.999999");
        assert_ne!(text, beyond);
        assert_eq!(Record::from_text(&beyond), None);
    }
}
