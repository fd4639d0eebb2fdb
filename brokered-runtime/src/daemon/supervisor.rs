//! The supervisor thread: it handles signals, control requests, idle exit and the end.

use std::env;
use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::bounded_print::print_with_timeout;
use super::control_server::ControlServer;
use super::error::exit_code;
use super::lifecycle::{FAILURE_REPORT_TIMEOUT, Lifecycle};
use super::log_rotation::LogRotation;
use super::project_directory::{ProjectDirectory, Update};
use super::reload_queue::{ReloadEvent, ReloadResult, RequestedBy};
use super::thread_role::ThreadRole;
use super::trace;
use crate::platform::{self, AcceptedConnections, SignalPoller, WakeReason};

/// How long a drain may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a drain may take after a failure.
const FAILURE_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a drain looks for quiet connections.
const QUIET_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// How often the daemon checks that its directory and its endpoint are in place.
const PATH_CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// How long the thread pauses after a failed wait.
const WAIT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// How long a drain may take before the daemon prints why it does not end.
const DRAIN_NOTICE_DELAY: Duration = Duration::from_millis(500);

/// How long `main` may take to end the process after the drain was cut short.
///
/// It first reports its failure to the clients of the control endpoint, which may take [`FAILURE_REPORT_TIMEOUT`].
const EXIT_TIMEOUT: Duration = FAILURE_REPORT_TIMEOUT.saturating_add(Duration::from_millis(500));

/// The supervisor before its thread runs. Signals are already caught, and wait for the thread.
pub(super) struct Supervisor {
    signals: SignalPoller,
    hang_up: HangUp,
}

/// What `SIGHUP` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HangUp {
    /// A graceful shutdown: the terminal on which the daemon was started by hand is closed.
    Stop,
    /// A reload.
    Reload,
}

impl Supervisor {
    /// Catches `SIGTERM`, `SIGINT` and `SIGHUP`. They have their effect as soon as the thread runs.
    pub(super) fn install(lifecycle: &Lifecycle, hang_up: HangUp) -> io::Result<Self> {
        let (signals, wake) = SignalPoller::install()?;
        lifecycle.set_supervisor_waker(wake);
        Ok(Self { signals, hang_up })
    }

    /// Starts the thread.
    pub(super) fn start(self, lifecycle: &Arc<Lifecycle>) -> io::Result<()> {
        // Before any code of the daemon can redirect its output.
        let log = lifecycle
            .rotated_log()
            .and_then(|(path, max_size)| LogRotation::new(path, max_size));
        let lifecycle = Arc::clone(lifecycle);
        thread::Builder::new()
            .name("brokered".to_owned())
            .spawn(move || run(&lifecycle, self.signals, self.hang_up, log))
            .map(drop)
    }
}

/// The whole life of the thread. The process usually ends while it supervises the drain.
fn run(
    lifecycle: &Arc<Lifecycle>,
    mut signals: SignalPoller,
    hang_up: HangUp,
    log: Option<LogRotation>,
) {
    let _role = ThreadRole::Supervisor.enter();
    let mut control = ControlServer::new(lifecycle);
    let requested_by = supervise(lifecycle, &mut control, &mut signals, hang_up, log);
    let _span = trace::drain();
    // `main` and the handlers may print what they do at the end.
    platform::replace_lost_terminal();
    if requested_by == WakeReason::HangUp {
        print_with_timeout(
            lifecycle.name(),
            "received SIGHUP, which a closed terminal sends: shutting down".to_owned(),
        );
    }
    lifecycle.begin_drain();
    let reason = supervise_drain(lifecycle, &mut control, &mut signals, requested_by);
    let main_has_returned = lifecycle.cut_short();
    control.send_updates(lifecycle);
    match lifecycle.failure() {
        // `main` prints its own failure.
        Some(_) if main_has_returned => {}
        Some(failure) => print_with_timeout(lifecycle.name(), failure.to_owned()),
        None => print_with_timeout(
            lifecycle.name(),
            format!("{reason}; connections are cut short"),
        ),
    }
    // Asked again, because printing may have taken a while.
    if lifecycle.cut_short() {
        // The main thread now releases everything, and ends the process with the exit code of `main`.
        thread::sleep(EXIT_TIMEOUT);
    }
    // Last, because the next daemon may start as soon as the lock is released.
    let code = if let Some(failure) = lifecycle.failure() {
        lifecycle.shut_down_after_failure(failure);
        exit_code::SOFTWARE
    } else {
        lifecycle.remove_start_history();
        lifecycle.shut_down();
        0
    };
    platform::end_process(code)
}

/// Supervises the running daemon, and returns what requested its end.
fn supervise(
    lifecycle: &Arc<Lifecycle>,
    control: &mut ControlServer,
    signals: &mut SignalPoller,
    hang_up: HangUp,
    mut log: Option<LogRotation>,
) -> WakeReason {
    let interval = path_check_interval();
    let mut path_check_at = Instant::now() + interval;
    let mut project_directory = ProjectDirectory::of(lifecycle, interval);
    let mut wait_failed = false;
    loop {
        control.open(lifecycle);
        lifecycle.update_record();
        advance_reloads(lifecycle, control);
        if lifecycle.is_stop_requested() {
            return WakeReason::Thread;
        }
        if let Some(directory) = &mut project_directory {
            match directory.update(lifecycle) {
                Some(Update::Print(message)) => print_with_timeout(lifecycle.name(), message),
                Some(Update::End(reason)) => {
                    print_with_timeout(lifecycle.name(), format!("{reason}: shutting down"));
                    return WakeReason::Thread;
                }
                None => {}
            }
        }
        // From then on, that thread alone looks at the log.
        log.take_if(|log| log.start_thread(lifecycle));
        let next = [
            lifecycle.next_idle_check(),
            project_directory.as_ref().map(ProjectDirectory::next_look),
            log.as_ref().map(LogRotation::next_look),
        ]
        .into_iter()
        .flatten()
        .fold(path_check_at, Instant::min);
        match wait(lifecycle, control, signals, next, &mut wait_failed) {
            WakeReason::Signal => return WakeReason::Signal,
            WakeReason::HangUp if hang_up == HangUp::Stop => return WakeReason::HangUp,
            WakeReason::HangUp => {
                lifecycle.request_reload(RequestedBy::Signal);
                continue;
            }
            WakeReason::Thread | WakeReason::Source => continue,
            WakeReason::Deadline => {}
        }
        if let Some(timeout) = lifecycle.is_idle() {
            print_with_timeout(
                lifecycle.name(),
                format!("idle for {} s: shutting down", timeout.as_secs()),
            );
            return WakeReason::Thread;
        }
        if Instant::now() >= path_check_at {
            path_check_at = Instant::now() + interval;
            // A background job does not always get a hang-up.
            platform::replace_lost_terminal();
            if !lifecycle.owns_its_paths() {
                print_with_timeout(
                    lifecycle.name(),
                    format!(
                        "{} was removed or replaced: shutting down; the next client starts a new daemon",
                        lifecycle.endpoint().display()
                    ),
                );
                return WakeReason::Thread;
            }
        }
    }
}

/// Ends and begins reloads, and replies to the clients that wait for them.
fn advance_reloads(lifecycle: &Lifecycle, control: &mut ControlServer) {
    while let Some(event) = lifecycle.advance_reload() {
        let ReloadEvent::Ended {
            number,
            requested_by,
            took,
            result,
        } = event
        else {
            continue;
        };
        control.reply_to_reload(lifecycle, number, took, &result);
        // The log may be the only place that shows the result to the sender of a signal.
        let message = match result {
            ReloadResult::Refused(reason) => {
                format!("reload refused, so the daemon goes on as before: {reason}")
            }
            ReloadResult::NotTaken if requested_by == RequestedBy::Signal => {
                "received SIGHUP, but this daemon does not take reloads, so it goes on as before"
                    .to_owned()
            }
            ReloadResult::Done | ReloadResult::NotTaken => continue,
        };
        print_with_timeout(lifecycle.name(), message);
    }
}

/// Waits for a signal, another thread or the deadline, and serves control requests meanwhile.
///
/// The wait can fail for a moment, for example if the limit of descriptors was lowered while the process runs. The
/// thread then tries again: if it ended, nothing could stop the daemon any more.
fn wait(
    lifecycle: &Lifecycle,
    control: &mut ControlServer,
    signals: &mut SignalPoller,
    deadline: Instant,
    has_failed: &mut bool,
) -> WakeReason {
    let error = match control.wait(lifecycle, signals, Some(deadline)) {
        Ok(reason) => {
            *has_failed = false;
            return reason;
        }
        Err(error) => error,
    };
    if !mem::replace(has_failed, true) {
        print_with_timeout(
            lifecycle.name(),
            format!("cannot wait for signals and control requests, trying again: {error}"),
        );
    }
    thread::sleep(WAIT_RETRY_INTERVAL);
    if Instant::now() >= deadline {
        WakeReason::Deadline
    } else {
        // Another thread may have requested the end meanwhile.
        WakeReason::Thread
    }
}

fn path_check_interval() -> Duration {
    // Only debug builds read the variable. The tests set it.
    if cfg!(debug_assertions)
        && let Ok(milliseconds) = env::var("BROKERED_TEST_CHECK_MS")
        && let Ok(milliseconds) = milliseconds.parse()
    {
        return Duration::from_millis(milliseconds);
    }
    PATH_CHECK_INTERVAL
}

/// Supervises the drain, and returns why it must be cut short. A drain that succeeds ends with the process.
fn supervise_drain(
    lifecycle: &Lifecycle,
    control: &mut ControlServer,
    signals: &mut SignalPoller,
    requested_by: WakeReason,
) -> String {
    let began = Instant::now();
    let mut deadline = began + DRAIN_TIMEOUT;
    let mut signal_received = requested_by == WakeReason::Signal;
    // A person at a terminal learns why the daemon still runs.
    let mut notice_at = Some(began + DRAIN_NOTICE_DELAY);
    let mut connections = AcceptedConnections::on(lifecycle.endpoint());
    let mut quiet_check_at = began;
    let mut wait_failed = false;
    loop {
        if lifecycle.failure().is_some() {
            deadline = deadline.min(began + FAILURE_DRAIN_TIMEOUT);
        }
        let now = Instant::now();
        if now >= deadline {
            return format!(
                "the drain took longer than {} s",
                (deadline - began).as_secs()
            );
        }
        let sample_at = lifecycle.take_drain_sample(began + (deadline - began) / 2);
        if now >= quiet_check_at {
            // It reads directories and files.
            lifecycle
                .descriptors()
                .lend(3, || connections.shut_down_quiet());
            quiet_check_at = now + QUIET_CHECK_INTERVAL;
        }
        if notice_at.is_some_and(|at| now >= at) {
            notice_at = None;
            let signals_needed = if signal_received {
                "another signal cuts"
            } else {
                "two signals cut"
            };
            print_with_timeout(
                lifecycle.name(),
                format!(
                    "shutting down: open connections are served for at most {} s; {signals_needed} them short",
                    (deadline - began).as_secs()
                ),
            );
        }
        let next = deadline
            .min(quiet_check_at)
            .min(notice_at.unwrap_or(deadline))
            .min(sample_at.unwrap_or(deadline));
        match wait(lifecycle, control, signals, next, &mut wait_failed) {
            WakeReason::Thread => lifecycle.update_record(),
            WakeReason::Signal if signal_received => return "received another signal".to_owned(),
            WakeReason::Signal => signal_received = true,
            // It cuts nothing short: when a terminal closes, the kernel, the shell and the session each send one. The
            // daemon's output may now fail.
            WakeReason::HangUp => platform::replace_lost_terminal(),
            WakeReason::Deadline | WakeReason::Source => {}
        }
    }
}
