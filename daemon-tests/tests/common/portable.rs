//! The part of the test support that works on every platform.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::env;
use std::error::Error;
use std::io::Read;
use std::process::{Child, Output};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) type TestResult = Result<(), Box<dyn Error>>;

/// The longest time that a test waits for anything. A machine that runs many tests is slow, and Wine is slower.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(if cfg!(windows) { 60 } else { 30 });

/// A child process of the test. It is killed and reaped when this is dropped.
pub(crate) struct ChildProcess(pub(crate) Child);

impl ChildProcess {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits until the process has ended, at most [`TIMEOUT`].
    pub(crate) fn wait_with_output(mut self) -> Result<Output, Box<dyn Error>> {
        wait_until("the process ends", || {
            matches!(self.0.try_wait(), Ok(Some(_)))
        });
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(pipe) = &mut self.0.stdout {
            pipe.read_to_end(&mut stdout)?;
        }
        if let Some(pipe) = &mut self.0.stderr {
            pipe.read_to_end(&mut stderr)?;
        }
        let status = self.0.wait()?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Polls a condition until it holds. Panics after [`TIMEOUT`].
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {TIMEOUT:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The value of a key in a record.
pub(crate) fn field_of(record: &str, key: &str) -> Result<String, Box<dyn Error>> {
    record
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.to_owned())
        .ok_or_else(|| format!("no {key} in {record}").into())
}

/// A number that an environment variable can set, such as the `ROUNDS` of a test. The full tier sets larger numbers.
pub(crate) fn number_from_env<T>(variable: &str, default: T) -> Result<T, Box<dyn Error>>
where
    T: FromStr<Err: Error + 'static>,
{
    match env::var(variable) {
        Ok(number) => Ok(number.parse()?),
        Err(_) => Ok(default),
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
