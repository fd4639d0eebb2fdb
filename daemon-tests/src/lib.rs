//! What the daemons, the clients and the tests here share.

#![forbid(unsafe_code)]

mod printer;

use brokered_runtime::Daemon;

pub use printer::Printer;

/// The daemon of most tests: one for each directory, so that each test has as many as it likes.
pub const SUBJECT: Daemon = Daemon::new("subject").per_directory();

/// The same with one for each user.
pub const SINGLE: Daemon = Daemon::new("single");

/// A daemon on the seed's contract, whose endpoint the launcher binds.
pub const BACKEND: Daemon = Daemon::new("backend");

/// A fifo that a load reads to its end, so that a test decides how long it takes.
pub const LOAD_FROM: &str = "SUBJECT_LOAD_FROM";

/// A file that a load waits for to be there, for tests that run where there are no fifos.
pub const LOAD_UNTIL: &str = "SUBJECT_LOAD_UNTIL";

/// Where a load writes its parent's process ID. With `fork.c` preloaded, asking for that forks, and the number is
/// the child's.
pub const LOAD_FORKS: &str = "SUBJECT_LOAD_FORKS";

/// What a load fails with.
pub const LOAD_FAILS: &str = "SUBJECT_LOAD_FAILS";

/// Whether the subject prints the framework's spans and events.
pub const TRACES: &str = "SUBJECT_TRACES";

/// How `main` ends at once: `error`, `panic`, or `guard <microseconds>`.
pub const MAIN_ENDS: &str = "SUBJECT_MAIN_ENDS";

/// For how many milliseconds the backend's `bind` sleeps.
pub const BIND_SLEEPS: &str = "BACKEND_BIND_SLEEPS";

/// For how many milliseconds the backend's `serve` sleeps before it accepts.
pub const SERVE_SLEEPS: &str = "BACKEND_SERVE_SLEEPS";

/// A file that the subject locks while its `main` runs, so that a test learns of a second one: the witness is
/// not the framework's own lock. Who finds it locked says so in a file beside it.
pub const WITNESS: &str = "SUBJECT_WITNESS";
/// A daemon whose state loads in the background.
pub const SLOW: Daemon = Daemon::new("slow");

/// A daemon that ends when it has served nobody for a second.
pub const IDLER: Daemon = Daemon::new("idler").idle_exit_secs(1);

/// A daemon on tokio, which ends when it has served nobody for a second.
pub const ASYNC: Daemon = Daemon::new("async").idle_exit_secs(1);

/// Waits until a process is gone, or all that is left of it waits to be waited for.
pub fn until_ended(pid: u32) {
    while process_state(pid).is_some_and(|state| state != 'Z')
        || std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 1)
    {
        std::thread::yield_now();
    }
}

/// What `/proc` says a process is doing. `None` if it is gone.
#[must_use]
pub fn process_state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
