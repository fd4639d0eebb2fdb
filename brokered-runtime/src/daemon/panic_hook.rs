//! The panic hook of a program that is built with `panic = "abort"`: it records why the process ends.
//!
//! With unwinding, `run`, `background` and `serve` catch the panic. Without it the process ends right after the hook.

use std::panic::{self, PanicHookInfo};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::lifecycle::Lifecycle;
use super::report::shortened;
use super::thread_role::ThreadRole;
use crate::diagnostics::panic_message;

/// How long a second thread that panics waits for the first. Its own return would end the process.
const OTHER_PANIC_TIMEOUT: Duration = Duration::from_secs(3);

const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// How far the first thread that panics has come: 0 before it, [`RECORDING`], then [`RECORDED`].
static STATE: AtomicU8 = AtomicU8::new(0);
const RECORDING: u8 = 1;
const RECORDED: u8 = 2;

/// Installs the hook. The one that is there is called first, so that the message is printed whatever happens later.
pub(super) fn install(lifecycle: &Arc<Lifecycle>) {
    let lifecycle = Arc::clone(lifecycle);
    let daemon = process::id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        before(info);
        // The record of the daemon says nothing of a child that was forked without `exec`.
        if process::id() == daemon {
            record(&lifecycle, info);
        }
    }));
}

fn record(lifecycle: &Lifecycle, info: &PanicHookInfo<'_>) {
    let is_first = STATE
        .compare_exchange(0, RECORDING, Ordering::AcqRel, Ordering::Acquire)
        .is_ok();
    if is_first {
        let role = ThreadRole::current();
        let reason = shortened(&reason(role, info));
        lifecycle.record_last_panic(&reason, !matches!(role, ThreadRole::Supervisor));
        STATE.store(RECORDED, Ordering::Release);
    } else {
        let deadline = Instant::now() + OTHER_PANIC_TIMEOUT;
        while STATE.load(Ordering::Acquire) != RECORDED && Instant::now() < deadline {
            thread::sleep(POLL_INTERVAL);
        }
    }
}

fn reason(role: ThreadRole, info: &PanicHookInfo<'_>) -> String {
    let message = panic_message(info.payload());
    match role {
        ThreadRole::Main => format!("main panicked: {message}"),
        ThreadRole::Load(name) => format!("loading {} panicked: {message}", name()),
        ThreadRole::Handler => format!("a handler panicked: {message}"),
        ThreadRole::Supervisor | ThreadRole::Other => {
            let at = info
                .location()
                .map(|location| format!(" at {location}"))
                .unwrap_or_default();
            match thread::current().name() {
                Some(name) => format!("the thread `{name}` panicked{at}: {message}"),
                None => format!("a thread without a name panicked{at}: {message}"),
            }
        }
    }
}
