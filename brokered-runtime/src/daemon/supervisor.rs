//! The keeper: the thread that answers for the daemon, waits for its end, and sees to it that it comes.

use std::io;
use std::mem;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::control_server::ControlServer;
use super::error::exit_code;
use super::lifecycle::Lifecycle;
use super::trace;
use crate::diagnostics::print;
use crate::platform::{self, AcceptedConnections, SignalPipe, WakeReason};

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(10);

/// How long a drain may take when the daemon can't go on.
const DRAIN_OF_A_FAILURE: Duration = Duration::from_secs(1);

/// How often a drain looks for connections that only wait for a request.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// How often the daemon looks whether its directory and its endpoint are still there.
const CHECK: Duration = Duration::from_secs(60);

/// How long a keeper that cannot wait leaves the system before it tries again.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// How long the last words of a daemon may take.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A keeper that is not at work yet: signals wait for it.
pub(super) struct Supervisor {
    signals: SignalPipe,
}

impl Supervisor {
    /// From now on `SIGTERM` and `SIGINT` end the daemon gracefully, as soon as the keeper is at work.
    pub(super) fn install(lifecycle: &Lifecycle) -> io::Result<Self> {
        let (signals, wake) = SignalPipe::install()?;
        lifecycle.set_supervisor(wake);
        Ok(Self { signals })
    }

    /// Starts the thread.
    pub(super) fn start(self, lifecycle: &Arc<Lifecycle>) -> io::Result<()> {
        let lifecycle = Arc::clone(lifecycle);
        thread::Builder::new()
            .name("brokered".to_owned())
            .spawn(move || watch(&lifecycle, self.signals))
            .map(drop)
    }
}

fn watch(lifecycle: &Lifecycle, mut signals: SignalPipe) {
    let mut control = ControlServer::new(lifecycle);
    let requested_by = supervise(lifecycle, &mut control, &mut signals);
    let _span = trace::drain();
    lifecycle.begin_drain();
    let why = supervise_drain(lifecycle, &mut control, &mut signals, requested_by);
    // With `main` back, the process ends by itself now, and with `main`'s exit code.
    let ends_itself = lifecycle.cut_short();
    control.send_updates(lifecycle);
    let code = if let Some(failure) = lifecycle.failure() {
        lifecycle.shut_down_failed(failure);
        print_with_timeout(lifecycle.name(), failure.to_owned());
        exit_code::SOFTWARE
    } else {
        lifecycle.clear_start_count();
        lifecycle.shut_down();
        print_with_timeout(
            lifecycle.name(),
            format!("{why}; connections are cut short"),
        );
        0
    };
    if ends_itself {
        thread::sleep(LAST_WORDS);
    }
    platform::end_process(code)
}

/// Returns when the daemon is to end, with what asked for it.
fn supervise(
    lifecycle: &Lifecycle,
    control: &mut ControlServer,
    signals: &mut SignalPipe,
) -> WakeReason {
    let every = between_checks();
    let mut check_at = Instant::now() + every;
    let mut is_told = false;
    loop {
        control.open(lifecycle);
        lifecycle.update_record();
        if lifecycle.is_stop_requested() {
            return WakeReason::Thread;
        }
        let idle_at = lifecycle.idle_at();
        let next = idle_at.map_or(check_at, |idle_at| idle_at.min(check_at));
        match wait(lifecycle, control, signals, next, &mut is_told) {
            WakeReason::Signal => return WakeReason::Signal,
            WakeReason::Thread | WakeReason::Watched => continue,
            WakeReason::Time => {}
        }
        if let Some(after) = lifecycle.is_idle() {
            print_with_timeout(
                lifecycle.name(),
                format!("nobody was served for {} s: ending", after.as_secs()),
            );
            return WakeReason::Thread;
        }
        if Instant::now() >= check_at {
            check_at = Instant::now() + every;
            if !lifecycle.owns_its_paths() {
                print_with_timeout(
                    lifecycle.name(),
                    format!(
                        "{} is gone, or another one: ending, and the next client starts a new daemon",
                        lifecycle.socket().display()
                    ),
                );
                return WakeReason::Thread;
            }
        }
    }
}

/// Waits for a signal, another thread, or the deadline, and serves clients meanwhile.
///
/// A system that lets nobody wait, as where the limit of descriptors was taken down under a running process, may do so
/// a moment later. A daemon that gave up here would hear nothing ever again.
fn wait(
    lifecycle: &Lifecycle,
    control: &mut ControlServer,
    signals: &mut SignalPipe,
    deadline: Instant,
    is_told: &mut bool,
) -> WakeReason {
    let error = match control.wait(lifecycle, signals, Some(deadline)) {
        Ok(reason) => {
            *is_told = false;
            return reason;
        }
        Err(error) => error,
    };
    if !mem::replace(is_told, true) {
        print_with_timeout(
            lifecycle.name(),
            format!("cannot wait for signals and clients, and tries again: {error}"),
        );
    }
    thread::sleep(BETWEEN_TRIES);
    if Instant::now() >= deadline {
        WakeReason::Time
    } else {
        // It may have asked for the end.
        WakeReason::Thread
    }
}

/// How often the daemon looks whether its directory and its endpoint are still there.
fn between_checks() -> Duration {
    // For the tests of it, and in their builds alone.
    if cfg!(debug_assertions)
        && let Ok(milliseconds) = std::env::var("BROKERED_TEST_CHECK_MS")
        && let Ok(milliseconds) = milliseconds.parse()
    {
        return Duration::from_millis(milliseconds);
    }
    CHECK
}

/// Returns when the drain is to be cut short. Otherwise the process ends meanwhile.
fn supervise_drain(
    lifecycle: &Lifecycle,
    control: &mut ControlServer,
    signals: &mut SignalPipe,
    requested_by: WakeReason,
) -> String {
    let began = Instant::now();
    let mut deadline = began + DRAIN;
    let mut signalled = requested_by == WakeReason::Signal;
    // Whoever waits at a terminal is told why, if there is anything to wait for.
    let mut tell_why_at = Some(began + LAST_WORDS);
    let mut connections = AcceptedConnections::on(lifecycle.socket());
    let mut look_at = began;
    let mut is_told = false;
    loop {
        if lifecycle.failure().is_some() {
            deadline = deadline.min(began + DRAIN_OF_A_FAILURE);
        }
        let now = Instant::now();
        if now >= deadline {
            return format!("still busy after {} s", (deadline - began).as_secs());
        }
        if now >= look_at {
            connections.shut_down_quiet();
            look_at = now + BETWEEN_LOOKS;
        }
        if tell_why_at.is_some_and(|at| now >= at) {
            tell_why_at = None;
            print_with_timeout(
                lifecycle.name(),
                format!(
                    "ending; connections are served for at most {} s, and a further signal cuts them short",
                    (deadline - began).as_secs()
                ),
            );
        }
        let next = deadline.min(look_at).min(tell_why_at.unwrap_or(deadline));
        match wait(lifecycle, control, signals, next, &mut is_told) {
            WakeReason::Thread => lifecycle.update_record(),
            WakeReason::Signal if signalled => return "asked again to stop".to_owned(),
            WakeReason::Signal => signalled = true,
            WakeReason::Time | WakeReason::Watched => {}
        }
    }
}

/// Says something without waiting for whoever should read it: standard error may be a pipe that is full, or
/// locked by a thread that is stuck in it.
fn print_with_timeout(name: &'static str, what: String) {
    let (said, heard) = mpsc::channel();
    let speaker = thread::Builder::new().spawn(move || {
        print(name, what);
        let _ = said.send(());
    });
    if speaker.is_ok() {
        let _ = heard.recv_timeout(LAST_WORDS);
    }
}
