//! [`print_with_timeout`]: messages of the supervisor thread, which must not wait for standard error without a limit.

use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::diagnostics::print;

/// How long a message on standard error may take.
const PRINT_TIMEOUT: Duration = Duration::from_millis(500);

/// How many messages may be printed at once. Further ones are lost: while standard error is blocked, each message blocks
/// a thread.
const MAX_MESSAGES: usize = 4;

/// How many messages are being printed.
static MESSAGES: AtomicUsize = AtomicUsize::new(0);

/// Prints a message, and does not wait for it for long: standard error can be a full pipe, or locked by a blocked
/// thread.
pub(super) fn print_with_timeout(name: &'static str, message: impl Display) {
    if MESSAGES.fetch_add(1, Ordering::AcqRel) >= MAX_MESSAGES {
        MESSAGES.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let message = message.to_string();
    let printed = Arc::new((Mutex::new(false), Condvar::new()));
    let by_thread = Arc::clone(&printed);
    let spawned = thread::Builder::new().spawn(move || {
        print(name, message);
        MESSAGES.fetch_sub(1, Ordering::AcqRel);
        *by_thread.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        by_thread.1.notify_one();
    });
    if spawned.is_err() {
        MESSAGES.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let (is_printed, changed) = &*printed;
    let is_printed = is_printed.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = changed.wait_timeout_while(is_printed, PRINT_TIMEOUT, |is_printed| !*is_printed);
}
