//! Fault points: named places between two steps of the protocol, at which a test can inject a fault.
//!
//! They do nothing without the feature `fault-injection`, which release builds leave off.

/// A fault point at which a step can fail. It returns an error only if a test injects one.
#[cfg(not(feature = "fault-injection"))]
#[inline]
#[allow(
    clippy::unnecessary_wraps,
    reason = "it has the signature of the function below"
)]
pub(crate) fn point(_name: &'static str) -> std::io::Result<()> {
    Ok(())
}

#[cfg(feature = "fault-injection")]
pub(crate) use injected::point;

/// A fault point at which a step cannot fail.
pub(crate) fn reach(name: &'static str) {
    let _ = point(name);
}

#[cfg(feature = "fault-injection")]
mod injected {
    use std::env;
    use std::fs::OpenOptions;
    use std::io::{self, Write};
    use std::time::{Duration, Instant};
    use std::{process, thread};

    use crate::platform;

    /// The environment variable that names a fault point and its fault: `daemon:adopted=kill`, `=error`, `=delay:1500`
    /// or `=spin:1500` (milliseconds).
    const FAULT: &str = "BROKERED_FAULT";
    /// The environment variable that names a file. The fault is injected into the one process that creates this file,
    /// which writes its process ID there.
    const ONCE: &str = "BROKERED_FAULT_ONCE";
    /// The environment variable that names a file. Each process adds a line for each fault point that it reaches.
    const TRACE: &str = "BROKERED_FAULT_TRACE";

    pub(crate) fn point(name: &'static str) -> io::Result<()> {
        trace(name);
        let Ok(fault) = env::var(FAULT) else {
            return Ok(());
        };
        match fault.split_once('=') {
            Some((point, fault)) if point == name && creates_the_file() => inject(fault),
            _ => Ok(()),
        }
    }

    fn inject(fault: &str) -> io::Result<()> {
        match fault.split_once(':') {
            Some(("delay", milliseconds)) => {
                let milliseconds = milliseconds.parse().expect("milliseconds");
                thread::sleep(Duration::from_millis(milliseconds));
                Ok(())
            }
            Some(("spin", milliseconds)) => {
                let milliseconds = milliseconds.parse().expect("milliseconds");
                let until = Instant::now() + Duration::from_millis(milliseconds);
                while Instant::now() < until {}
                Ok(())
            }
            None if fault == "kill" => platform::kill_this_process(),
            None if fault == "error" => Err(io::Error::other("a fault that a test has injected")),
            _ => panic!("{FAULT}: unknown fault {fault:?}"),
        }
    }

    fn creates_the_file() -> bool {
        env::var_os(ONCE).is_some_and(|path| {
            let created = OpenOptions::new().write(true).create_new(true).open(path);
            created.is_ok_and(|mut file| {
                let _ = write!(file, "{}", process::id());
                true
            })
        })
    }

    fn trace(name: &str) {
        if let Some(path) = env::var_os(TRACE)
            && let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path)
        {
            let _ = file.write_all(format!("{name}\n").as_bytes());
        }
    }
}
