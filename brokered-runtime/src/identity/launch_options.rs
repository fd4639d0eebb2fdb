//! [`LaunchOptions`]: how a client starts the daemon.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Longer than one daemon's drain and the next one's start-up together.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

/// Enough for the last days of a usual daemon. With the older part, its log takes twice that.
const DEFAULT_MAX_LOG_SIZE: u64 = 10 * 1024 * 1024;

/// How a client starts the daemon.
#[derive(Debug, Clone)]
pub(crate) struct LaunchOptions {
    pub(crate) program: Option<PathBuf>,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) clear_environment: bool,
    /// Variables to set, or to remove where the value is `None`, in the order of the calls.
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    pub(crate) current_dir: Option<PathBuf>,
    pub(crate) log: Option<PathBuf>,
    /// The size in bytes beyond which the log is rotated. `None` if it never is.
    pub(crate) max_log_size: Option<u64>,
    pub(crate) wait: WaitFor,
    pub(crate) deadline: Duration,
    pub(crate) start_limit: StartLimit,
}

impl Default for LaunchOptions {
    fn default() -> Self {
        Self {
            program: None,
            arguments: Vec::new(),
            clear_environment: false,
            environment: Vec::new(),
            current_dir: None,
            log: None,
            max_log_size: Some(DEFAULT_MAX_LOG_SIZE),
            wait: WaitFor::default(),
            deadline: DEFAULT_TIMEOUT,
            start_limit: StartLimit::default(),
        }
    }
}

/// The number of starts within a time after which the daemon is not started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StartLimit {
    pub(crate) starts: u32,
    pub(crate) within: Duration,
}

impl Default for StartLimit {
    fn default() -> Self {
        Self {
            starts: 5,
            within: Duration::from_secs(30),
        }
    }
}

/// What [`connect_or_spawn`](crate::Instance::connect_or_spawn) waits for after it has started the daemon.
///
/// Set it with [`Instance::wait`](crate::Instance::wait).
///
/// In all cases, the connection is made as early as possible, and waits in the daemon's backlog.
///
/// ```
/// use brokered_runtime::{Daemon, WaitFor};
///
/// const INDEXD: Daemon = Daemon::new("indexd");
///
/// let indexd = INDEXD.instance().wait(WaitFor::Ready);
/// # drop(indexd);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitFor {
    /// The daemon is bound and recorded. It serves once it has loaded its states.
    #[default]
    Bound,
    /// The daemon is ready: it has loaded its states and accepts clients. The client also waits for this if another
    /// process has started the daemon.
    Ready,
    /// Nothing. An error in the daemon's start-up then shows only as the end of the stream.
    Nothing,
}
