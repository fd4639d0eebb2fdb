//! The record: the file that says which process is bound, where, since when, and in which phase.
//!
//! Only the holder of the instance lock writes it. While no process holds the lock, and until step 4 of the
//! next start, the record is stale: it shows how the last daemon ended.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::fields::{Fields, Lines, from_unix_time, unix_time};
use crate::identity::paths::Paths;
use crate::platform::{self, Access};
use crate::refusal::{Advice, Refusal};
use crate::{Instance, Phase};

/// How many bytes of a record are read. A usual record has a few hundred bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The contents of the file `record`.
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
    /// When the daemon started, as the time since boot. Unlike `started`, no clock change affects it. A process that
    /// is younger did not write the record.
    pub(crate) since_boot: Option<Duration>,
    /// Whether the daemon has a control endpoint. A hand-written backend has none.
    pub(crate) has_control: bool,
    pub(crate) package: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) log: Option<PathBuf>,
    /// The size in bytes beyond which the log is rotated, or 0 if it never is. An older launcher names none.
    pub(crate) max_log_size: Option<u64>,
    pub(crate) failure: Option<String>,
    /// The exit status as text, if the launcher saw the process end.
    pub(crate) exit: Option<String>,
    /// The path of the executable.
    pub(crate) program: Option<PathBuf>,
    /// The command-line arguments, without the program's name.
    pub(crate) arguments: Vec<OsString>,
    /// How long the process ran before its `main`, if the platform reports it.
    pub(crate) premain: Option<Duration>,
    /// How many threads the process had before the runtime started its first one.
    pub(crate) premain_threads: Option<u32>,
}

/// Who started the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A client's `connect_or_spawn`.
    Launcher,
    /// A person or a script.
    Hand,
    /// systemd, which owns the endpoint.
    Systemd,
    /// launchd, which owns the endpoint.
    Launchd,
}

impl Record {
    /// The record of this process, as a daemon that was started by hand.
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
            max_log_size: None,
            failure: None,
            exit: None,
            program: None,
            arguments: Vec::new(),
            premain: None,
            premain_threads: None,
        }
    }

    /// Adds the command line of this process, so that it can be started again. This needs system calls, so it is not
    /// done before `BOUND`.
    pub(crate) fn add_command_line(&mut self) {
        if self.program.is_none() {
            self.program = env::current_exe().ok();
            self.arguments = env::args_os().skip(1).collect();
        }
    }

    /// Replaces the file with this record, in one step.
    pub(crate) fn write(&self, paths: &Paths) -> Result<(), RecordError> {
        let path = paths.record();
        platform::replace_file(&path, &paths.new_record(), self.to_text().as_bytes()).map_err(
            |source| RecordError {
                refusal: Refusal::of(&source, &path, Access::Entry),
                path,
                source,
            },
        )
    }

    /// Reads the record of an instance. `None` if the file is missing or malformed.
    pub(crate) fn read(paths: &Paths) -> Option<Self> {
        Self::from_text(&read_limited(&paths.record()).ok()?)
    }

    /// How long ago a daemon started that still runs. For messages only: without the boot time clock, a change of the
    /// wall clock changes the age.
    pub(crate) fn age(&self) -> Duration {
        let since_start = self
            .since_boot
            .and_then(|started| platform::uptime().checked_sub(started));
        since_start.unwrap_or_else(|| self.started.elapsed().unwrap_or_default())
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
        if let Some(size) = self.max_log_size {
            lines.push_number("MAX_LOG_SIZE", size);
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
            max_log_size: fields.number("MAX_LOG_SIZE"),
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
    /// Whether it is a service manager, which keeps the endpoint after the daemon has ended.
    pub(crate) fn is_service_manager(self) -> bool {
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
        .take(MAX_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// The error of writing a record.
#[derive(Debug)]
pub(crate) struct RecordError {
    path: PathBuf,
    source: io::Error,
    refusal: Option<Refusal>,
}

impl RecordError {
    /// The error of the system call.
    pub(crate) fn cause(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if platform::is_out_of_descriptors(&self.source) {
            return write!(
                f,
                "cannot write the record {}: {}; raise the limit of open files with `ulimit -n` or `LimitNOFILE=`",
                self.path.display(),
                self.source
            );
        }
        write!(
            f,
            "cannot write the record {}: {}{}",
            self.path.display(),
            self.source,
            Advice::new(&self.source, self.refusal.as_ref())
                .for_entry()
                .or("set BROKERED_RUNTIME_DIR to a directory on another file system")
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
            log: Some(PathBuf::from("/var/log/words")),
            max_log_size: Some(1 << 40),
            failure: Some("100% of\nthe disk".to_owned()),
            exit: Some("exit status: 70".to_owned()),
            program: Some(PathBuf::from("/opt/words 2/words")),
            arguments: vec!["--quick".into(), "".into(), "a\nb=c".into()],
            premain: Some(Duration::from_micros(1_234)),
            premain_threads: Some(2),
        }
    }

    #[test]
    fn a_record_survives_a_round_trip() {
        assert_eq!(Record::from_text(&record().to_text()), Some(record()));
    }

    #[test]
    fn a_truncated_record_is_none_or_complete() {
        let text = record().to_text();
        for length in 0..text.len() {
            let Some(torn) = text.get(..length) else {
                continue;
            };
            if let Some(read) = Record::from_text(torn) {
                // A record that lost a required field is not read at all.
                assert_eq!((read.pid, read.phase), (4711, Phase::Ready), "{torn}");
            }
        }
        assert_eq!(Record::from_text("\0\0\0"), None);
    }

    #[test]
    fn a_time_that_the_clock_cannot_hold_is_none() {
        let text = record().to_text();
        let beyond = text.replace("1700000000.007000", "18446744073709551615.999999");
        assert_ne!(text, beyond);
        assert_eq!(Record::from_text(&beyond), None);
    }
}
