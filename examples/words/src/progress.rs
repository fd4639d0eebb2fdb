//! What a waiting user sees.

use std::{
    io::{self, IsTerminal as _},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use brokered_runtime::Instance;
use indicatif::{ProgressBar, ProgressStyle};

/// Whoever gets an answer sooner has not waited.
const PATIENCE: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(100);

/// While it lives, it says on the terminal that something is being waited for, how far the daemon is, and for how
/// long.
///
/// It says nothing where standard error is not a terminal.
#[derive(Debug)]
pub(crate) struct Waiting {
    end: Option<Sender<()>>,
    shown: Option<JoinHandle<()>>,
}

impl Waiting {
    pub(crate) fn new(what: String, instance: Instance) -> Self {
        if !io::stderr().is_terminal() {
            return Self {
                end: None,
                shown: None,
            };
        }
        let (end, ended) = mpsc::channel();
        let shown = thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let spinner = ProgressBar::new_spinner()
                .with_elapsed(PATIENCE)
                .with_message(what.clone());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}: {elapsed}") {
                spinner.set_style(style);
            }
            let instance = instance.deadline(TICK);
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                // The daemon answers this while it reads.
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
            shown: Some(shown),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end = None;
        if let Some(shown) = self.shown.take() {
            // It is off the screen before anything else is printed.
            let _ = shown.join();
        }
    }
}
