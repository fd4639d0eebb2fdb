//! The keeper: the thread that answers for the daemon, waits for its end, and sees to it that it comes.

use std::io;
use std::mem;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::control::Desk;
use super::error::exit_code;
use super::lifecycle::Lifecycle;
use super::trace;
use crate::platform::{self, AcceptedConnections, SignalPipe, Woken};
use crate::text::say;

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
pub(super) struct Keeper {
    signals: SignalPipe,
}

impl Keeper {
    /// From now on `SIGTERM` and `SIGINT` end the daemon gracefully, as soon as the keeper is at work.
    pub(super) fn appoint(lifecycle: &Lifecycle) -> io::Result<Self> {
        let (signals, wake) = SignalPipe::install()?;
        lifecycle.set_keeper(wake);
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
    let mut desk = Desk::new(lifecycle);
    let asked_by = keep_watch(lifecycle, &mut desk, &mut signals);
    let _span = trace::drain();
    lifecycle.begin_drain();
    let why = watch_drain(lifecycle, &mut desk, &mut signals, asked_by);
    // With `main` back, the process ends by itself now, and with `main`'s exit code.
    let ends_itself = lifecycle.cut_short();
    desk.tell_news(lifecycle);
    let code = if let Some(failure) = lifecycle.failure() {
        lifecycle.let_go_failed(failure);
        say_in_passing(lifecycle.name(), failure.to_owned());
        exit_code::SOFTWARE
    } else {
        lifecycle.forgive_starts();
        lifecycle.let_go();
        say_in_passing(
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
fn keep_watch(lifecycle: &Lifecycle, desk: &mut Desk, signals: &mut SignalPipe) -> Woken {
    let every = between_checks();
    let mut check_at = Instant::now() + every;
    let mut is_told = false;
    loop {
        desk.open(lifecycle);
        lifecycle.publish();
        if lifecycle.is_asked_to_stop() {
            return Woken::Thread;
        }
        let idle_at = lifecycle.idle_at();
        let next = idle_at.map_or(check_at, |idle_at| idle_at.min(check_at));
        match wait(lifecycle, desk, signals, next, &mut is_told) {
            Woken::Signal => return Woken::Signal,
            Woken::Thread | Woken::Watched => continue,
            Woken::Time => {}
        }
        if let Some(after) = lifecycle.is_idle() {
            say_in_passing(
                lifecycle.name(),
                format!("nobody was served for {} s: ending", after.as_secs()),
            );
            return Woken::Thread;
        }
        if Instant::now() >= check_at {
            check_at = Instant::now() + every;
            if !lifecycle.is_in_place() {
                say_in_passing(
                    lifecycle.name(),
                    format!(
                        "{} is gone, or another one: ending, and the next client starts a new daemon",
                        lifecycle.socket().display()
                    ),
                );
                return Woken::Thread;
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
    desk: &mut Desk,
    signals: &mut SignalPipe,
    deadline: Instant,
    is_told: &mut bool,
) -> Woken {
    let error = match desk.wait(lifecycle, signals, Some(deadline)) {
        Ok(woken) => {
            *is_told = false;
            return woken;
        }
        Err(error) => error,
    };
    if !mem::replace(is_told, true) {
        say_in_passing(
            lifecycle.name(),
            format!("cannot wait for signals and clients, and tries again: {error}"),
        );
    }
    thread::sleep(BETWEEN_TRIES);
    if Instant::now() >= deadline {
        Woken::Time
    } else {
        // It may have asked for the end.
        Woken::Thread
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
fn watch_drain(
    lifecycle: &Lifecycle,
    desk: &mut Desk,
    signals: &mut SignalPipe,
    asked_by: Woken,
) -> String {
    let began = Instant::now();
    let mut deadline = began + DRAIN;
    let mut signalled = asked_by == Woken::Signal;
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
            connections.end_quiet_ones();
            look_at = now + BETWEEN_LOOKS;
        }
        if tell_why_at.is_some_and(|at| now >= at) {
            tell_why_at = None;
            say_in_passing(
                lifecycle.name(),
                format!(
                    "ending; connections are served for at most {} s, and a further signal cuts them short",
                    (deadline - began).as_secs()
                ),
            );
        }
        let next = deadline.min(look_at).min(tell_why_at.unwrap_or(deadline));
        match wait(lifecycle, desk, signals, next, &mut is_told) {
            Woken::Thread => lifecycle.publish(),
            Woken::Signal if signalled => return "asked again to stop".to_owned(),
            Woken::Signal => signalled = true,
            Woken::Time | Woken::Watched => {}
        }
    }
}

/// Says something without waiting for whoever should read it: standard error may be a pipe that is full, or
/// locked by a thread that is stuck in it.
fn say_in_passing(name: &'static str, what: String) {
    let (said, heard) = mpsc::channel();
    let speaker = thread::Builder::new().spawn(move || {
        say(name, what);
        let _ = said.send(());
    });
    if speaker.is_ok() {
        let _ = heard.recv_timeout(LAST_WORDS);
    }
}
