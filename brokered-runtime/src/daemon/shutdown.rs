//! The keeper: the thread that waits for the end, and sees to it that it comes.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::lifecycle::Lifecycle;
use crate::platform::{self, SignalPipe, Woken};

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(10);

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
    loop {
        lifecycle.publish();
        match signals.wait(None) {
            Ok(Woken::Thread | Woken::Time) if !lifecycle.is_asked_to_stop() => {}
            Ok(_) => break,
            Err(error) => {
                eprintln!("{}: cannot wait for signals: {error}", lifecycle.name());
                return;
            }
        }
    }
    lifecycle.begin_drain();
    let why = watch_drain(lifecycle, &mut signals);
    eprintln!("{}: {why}; connections are cut short", lifecycle.name());
    lifecycle.let_go();
    platform::end_process(0)
}

/// Returns when the drain is to be cut short. Otherwise the process ends meanwhile.
fn watch_drain(lifecycle: &Lifecycle, signals: &mut SignalPipe) -> String {
    let deadline = Instant::now() + DRAIN;
    loop {
        match signals.wait(Some(deadline)) {
            Ok(Woken::Thread) => lifecycle.publish(),
            Ok(Woken::Signal) => return "asked again to stop".to_owned(),
            Ok(Woken::Time) => return format!("still busy after {} s", DRAIN.as_secs()),
            Err(error) => return format!("cannot wait for signals: {error}"),
        }
    }
}
