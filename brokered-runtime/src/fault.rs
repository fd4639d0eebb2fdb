//! Points between the steps of the protocol, at which a test can make something go wrong.
//!
//! Without the feature `fault-injection`, which no product has, there is nothing at any of them.

/// A point that a step has come to. With an error only if a test wants one.
#[cfg(not(feature = "fault-injection"))]
#[inline]
#[allow(
    clippy::unnecessary_wraps,
    reason = "it has the shape of the one below"
)]
pub(crate) fn point(_name: &'static str) -> std::io::Result<()> {
    Ok(())
}

#[cfg(feature = "fault-injection")]
pub(crate) use injected::point;

/// A point at which nothing can fail.
pub(crate) fn pass(name: &'static str) {
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

    /// Which point, and what is to happen there: `daemon:adopted=kill`, `=error`, `=delay:1500`, `=spin:1500`
    /// (milliseconds).
    const FAULT: &str = "BROKERED_FAULT";
    /// A file that is not there yet: it happens to the process that creates it and writes its number there, and to no
    /// other.
    const ONCE: &str = "BROKERED_FAULT_ONCE";
    /// A file that gets a line for each point that any process comes to.
    const TRACE: &str = "BROKERED_FAULT_TRACE";

    pub(crate) fn point(name: &'static str) -> io::Result<()> {
        trace(name);
        let Ok(fault) = env::var(FAULT) else {
            return Ok(());
        };
        match fault.split_once('=') {
            Some((point, what)) if point == name && is_first() => happen(what),
            _ => Ok(()),
        }
    }

    fn happen(what: &str) -> io::Result<()> {
        match what.split_once(':') {
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
            None if what == "kill" => platform::kill_this_process(),
            None if what == "error" => Err(io::Error::other("a fault that a test has asked for")),
            _ => panic!("{FAULT} asks for {what:?}"),
        }
    }

    fn is_first() -> bool {
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
