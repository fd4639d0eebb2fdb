//! The supervisor thread: it handles signals, control requests, idle exit and the end.

use std::env;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::control_server::ControlServer;
use super::error::exit_code;
use super::lifecycle::{FAILURE_REPORT_TIMEOUT, Lifecycle};
use super::trace;
use crate::diagnostics::print;
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

/// How long a message on standard error may take.
const PRINT_TIMEOUT: Duration = Duration::from_millis(500);

/// How long `main` may take to end the process after the drain was cut short.
///
/// It first reports its failure to the clients of the control endpoint, which may take [`FAILURE_REPORT_TIMEOUT`].
const EXIT_TIMEOUT: Duration = FAILURE_REPORT_TIMEOUT.saturating_add(Duration::from_millis(500));

/// The supervisor before its thread runs. Signals are already caught, and wait for the thread.
pub(super) struct Supervisor {
    signals: SignalPoller,
}

impl Supervisor {
    /// Catches `SIGTERM` and `SIGINT`. They start a graceful shutdown as soon as the thread runs.
    pub(super) fn install(lifecycle: &Lifecycle) -> io::Result<Self> {
        let (signals, wake) = SignalPoller::install()?;
        lifecycle.set_supervisor_waker(wake);
        Ok(Self { signals })
    }

    /// Starts the thread.
    pub(super) fn start(self, lifecycle: &Arc<Lifecycle>) -> io::Result<()> {
        let lifecycle = Arc::clone(lifecycle);
        thread::Builder::new()
            .name("brokered".to_owned())
            .spawn(move || run(&lifecycle, self.signals))
            .map(drop)
    }
}

/// The whole life of the thread. The process usually ends while it supervises the drain.
fn run(lifecycle: &Lifecycle, mut signals: SignalPoller) {
    let mut control = ControlServer::new(lifecycle);
    let requested_by = supervise(lifecycle, &mut control, &mut signals);
    let _span = trace::drain();
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
    lifecycle: &Lifecycle,
    control: &mut ControlServer,
    signals: &mut SignalPoller,
) -> WakeReason {
    let interval = path_check_interval();
    let mut path_check_at = Instant::now() + interval;
    let mut wait_failed = false;
    loop {
        control.open(lifecycle);
        lifecycle.update_record();
        if lifecycle.is_stop_requested() {
            return WakeReason::Thread;
        }
        let idle_check_at = lifecycle.next_idle_check();
        let next = idle_check_at.map_or(path_check_at, |at| at.min(path_check_at));
        match wait(lifecycle, control, signals, next, &mut wait_failed) {
            WakeReason::Signal => return WakeReason::Signal,
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
            connections.shut_down_quiet();
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
            WakeReason::Deadline | WakeReason::Source => {}
        }
    }
}

/// Prints a message, and does not wait for it for long: standard error can be a full pipe, or locked by a blocked
/// thread.
fn print_with_timeout(name: &'static str, message: String) {
    let printed = Arc::new((Mutex::new(false), Condvar::new()));
    let by_thread = Arc::clone(&printed);
    let spawned = thread::Builder::new().spawn(move || {
        print(name, message);
        *by_thread.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        by_thread.1.notify_one();
    });
    if spawned.is_ok() {
        let (is_printed, changed) = &*printed;
        let is_printed = is_printed.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = changed.wait_timeout_while(is_printed, PRINT_TIMEOUT, |is_printed| !*is_printed);
    }
}
