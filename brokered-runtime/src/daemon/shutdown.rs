//! The keeper: the thread that waits for the end, and sees to it that it comes.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::lifecycle::Lifecycle;
use crate::platform::{self, SignalPipe, Woken};
use crate::text::say;

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(10);

/// How long the last words of a daemon may take.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Starts the keeper: from now on `SIGTERM` and `SIGINT` end the daemon gracefully.
pub(super) fn keep(lifecycle: &Arc<Lifecycle>) -> io::Result<()> {
    let (signals, wake) = SignalPipe::install()?;
    lifecycle.set_keeper(wake);
    let lifecycle = Arc::clone(lifecycle);
    thread::Builder::new()
        .name("brokered".to_owned())
        .spawn(move || watch(&lifecycle, signals))
        .map(drop)
}

fn watch(lifecycle: &Lifecycle, mut signals: SignalPipe) {
    let asked_by = loop {
        lifecycle.publish();
        match signals.wait(None) {
            Ok(Woken::Thread | Woken::Time) if !lifecycle.is_asked_to_stop() => {}
            Ok(woken) => break woken,
            Err(error) => {
                say(
                    lifecycle.name(),
                    format_args!("cannot wait for signals: {error}"),
                );
                return;
            }
        }
    };
    lifecycle.begin_drain();
    let why = watch_drain(lifecycle, &mut signals, asked_by);
    // With `main` back, the process ends by itself now, and with `main`'s exit code.
    let ends_itself = lifecycle.cut_short();
    lifecycle.forgive_starts();
    lifecycle.let_go();
    say_in_passing(
        lifecycle.name(),
        format!("{why}; connections are cut short"),
    );
    if ends_itself {
        thread::sleep(LAST_WORDS);
    }
    platform::end_process(0)
}

/// Returns when the drain is to be cut short. Otherwise the process ends meanwhile.
fn watch_drain(lifecycle: &Lifecycle, signals: &mut SignalPipe, asked_by: Woken) -> String {
    let deadline = Instant::now() + DRAIN;
    let mut signalled = asked_by == Woken::Signal;
    // Whoever waits at a terminal is told why, if there is anything to wait for.
    let mut tell_why_at = Some(Instant::now() + LAST_WORDS);
    loop {
        match signals.wait(Some(tell_why_at.unwrap_or(deadline))) {
            Ok(Woken::Time) if tell_why_at.take().is_some() => say_in_passing(
                lifecycle.name(),
                format!(
                    "ending; connections are served for at most {} s, and a further signal cuts them short",
                    DRAIN.as_secs()
                ),
            ),
            Ok(Woken::Thread) => lifecycle.publish(),
            Ok(Woken::Signal) if signalled => return "asked again to stop".to_owned(),
            Ok(Woken::Signal) => signalled = true,
            Ok(Woken::Time) => return format!("still busy after {} s", DRAIN.as_secs()),
            Err(error) => return format!("cannot wait for signals: {error}"),
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
