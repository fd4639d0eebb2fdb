//! The identities and the environment variables that the test programs and the tests share.

#![forbid(unsafe_code)]

mod trace_printer;

use brokered_runtime::Daemon;

pub use trace_printer::TracePrinter;

/// The daemon of most tests. It has one instance for each directory, so each test can have its own.
pub const TEST_DAEMON: Daemon = Daemon::new("test-daemon").per_directory();

/// A daemon with one instance for each user.
pub const SINGLE_INSTANCE_DAEMON: Daemon = Daemon::new("single");

/// A handwritten `BrokeredBackend`, whose endpoint the launcher binds.
pub const BACKEND: Daemon = Daemon::new("backend");

/// A daemon whose state loads in the background.
pub const BACKGROUND_LOAD_DAEMON: Daemon = Daemon::new("background-load");

/// A daemon that ends after a second without open connections.
pub const IDLE_EXIT_DAEMON: Daemon = Daemon::new("idle-exit").idle_exit_secs(1);

/// A daemon on tokio, which ends after a second without open connections.
pub const TOKIO_DAEMON: Daemon = Daemon::new("tokio").idle_exit_secs(1);

/// A daemon whose loads call daemons, with named instances.
pub const CALLING_DAEMON: Daemon = Daemon::new("calling-daemon");

/// The calls that the loads of [`CALLING_DAEMON`] make.
pub const CALLING_DAEMON_CALLS: &str = "CALLING_DAEMON_CALLS";

/// A daemon that reloads its configuration.
pub const RELOAD_DAEMON: Daemon = Daemon::new("reload");

/// The file with the configuration of the daemon that reloads.
pub const CONFIGURATION: &str = "RELOAD_DAEMON_CONFIGURATION";

/// A file that keeps the daemon that reloads at work, in a reload and for the request `busy`, while it exists. A number
/// in it excepts the parts of the daemon with lower numbers, which begin at 0.
pub const HOLD: &str = "RELOAD_DAEMON_HOLD";

/// How the daemon that reloads receives requests: `threads <number>`, `poll`, `task` or `none`.
pub const RELOAD_MODE: &str = "RELOAD_DAEMON_MODE";

/// How many bytes a large state has. It is a large part of a stack.
pub const LARGE_STATE_SIZE: usize = 1 << 20;

/// A fifo that a load reads to its end, so that the test decides how long the load takes.
pub const LOAD_FIFO: &str = "TEST_DAEMON_LOAD_FIFO";

/// A file that a load waits for, for tests on platforms without fifos.
pub const LOAD_UNTIL_FILE: &str = "TEST_DAEMON_LOAD_UNTIL_FILE";

/// A file to which a load writes its parent's process ID. With `fork_on_getppid.c` preloaded, the query forks, and
/// the number is the child's.
pub const LOAD_FORK_PID_FILE: &str = "TEST_DAEMON_LOAD_FORK_PID_FILE";

/// The error with which a load fails.
pub const LOAD_ERROR: &str = "TEST_DAEMON_LOAD_ERROR";

/// Set to make the test daemon print the framework's spans and events.
pub const PRINT_TRACES: &str = "TEST_DAEMON_PRINT_TRACES";

/// Where the panicking daemon panics.
pub const PANICS_IN: &str = "TEST_DAEMON_PANICS_IN";

/// How `main` ends at once: `error`, `panic`, or `guard <microseconds>`.
pub const MAIN_RESULT: &str = "TEST_DAEMON_MAIN_RESULT";

/// A file that the test daemon locks while its `main` runs, so that a test notices a second daemon independently of
/// the instance lock. A daemon that finds the file locked creates a second file with the extension `second`.
pub const WITNESS_LOCK: &str = "TEST_DAEMON_WITNESS_LOCK";

/// How many milliseconds the backend's `bind` sleeps.
pub const BIND_DELAY_MS: &str = "BACKEND_BIND_DELAY_MS";

/// How many milliseconds the backend's `serve` sleeps before it accepts.
pub const SERVE_DELAY_MS: &str = "BACKEND_SERVE_DELAY_MS";

/// Waits until a process has ended. It may still be a zombie then.
pub fn wait_for_exit(pid: u32) {
    while process_state(pid).is_some_and(|state| state != 'Z')
        || std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 1)
    {
        std::thread::yield_now();
    }
}

/// The state of a process in `/proc`, such as `S`. `None` if there is no such process.
#[must_use]
pub fn process_state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
