//! The progress display on a terminal.

use std::{
    io::{self, IsTerminal as _},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use brokered_runtime::Instance;
use indicatif::{ProgressBar, ProgressStyle};

/// Nothing is display if the reply comes within this time.
const DELAY: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(100);

/// Shows on the terminal what the client waits for, the daemon's progress, and the elapsed time, until it is dropped.
///
/// It shows nothing if standard error is not a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    end: Option<Sender<()>>,
    display: Option<JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn new(what: String, instance: Instance) -> Self {
        if !io::stderr().is_terminal() {
            return Self {
                end: None,
                display: None,
            };
        }
        let (end, ended) = mpsc::channel();
        let display = thread::spawn(move || {
            if ended.recv_timeout(DELAY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let spinner = ProgressBar::new_spinner()
                .with_elapsed(DELAY)
                .with_message(what.clone());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}: {elapsed}") {
                spinner.set_style(style);
            }
            let instance = instance.deadline(TICK);
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                // The control endpoint answers while the daemon loads.
                if let Ok(status) = instance.status()
                    && let Some(progress) = status.progress
                {
                    spinner.set_message(format!("{what}: {progress}"));
                }
                spinner.tick();
            }
            spinner.finish_and_clear();
        });
        Self {
            end: Some(end),
            display: Some(display),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end = None;
        if let Some(display) = self.display.take() {
            // The display is cleared before anything else is printed.
            let _ = display.join();
        }
    }
}
