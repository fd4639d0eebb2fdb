//! Kills the daemon at random times, and never another process.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{HERD, Result};

/// Kills in a round. With the first start there are five starts, as many as the start limit allows within 30 seconds.
const KILLS: u32 = 4;

/// Kills the daemon at random times until it is stopped.
#[derive(Debug)]
pub(super) struct FaultInjector<'a> {
    runtime_directory: &'a Path,
    /// The longest pause between two kills.
    pause: Duration,
    stop: AtomicBool,
    kills: AtomicU32,
}

impl<'a> FaultInjector<'a> {
    pub(super) fn new(runtime_directory: &'a Path, clients: usize) -> Self {
        // A herd takes about a millisecond for each client, and all kills should fall into that time.
        let pause = Duration::from_millis(4)
            + Duration::from_micros(500) * u32::try_from(clients).unwrap_or(0);
        Self {
            runtime_directory,
            pause,
            stop: AtomicBool::new(false),
            kills: AtomicU32::new(0),
        }
    }

    /// The body of the injector's thread.
    pub(super) fn run(&self) {
        let mut due = Instant::now() + self.random_pause();
        while !self.stop.load(Ordering::Acquire) && self.kills.load(Ordering::Acquire) < KILLS {
            if Instant::now() >= due && self.kill().is_some() {
                self.kills.fetch_add(1, Ordering::AcqRel);
                due = Instant::now() + self.random_pause();
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(super) fn kills(&self) -> u32 {
        self.kills.load(Ordering::Acquire)
    }

    fn random_pause(&self) -> Duration {
        let parts = u32::try_from(RandomState::new().hash_one(0) % 1000).unwrap_or(0);
        self.pause * parts / 1000
    }

    /// Kills the daemon, if one runs.
    fn kill(&self) -> Option<()> {
        let daemon = find_daemon(self.runtime_directory).ok()??;
        pidfd_send_signal(daemon, Signal::KILL).ok()
    }
}

/// A pidfd of the daemon, if the instance lock is held and the recorded process runs this executable.
fn find_daemon(runtime_directory: &Path) -> Result<Option<OwnedFd>> {
    let instance = instance_directory(runtime_directory);
    if !is_held(&instance)? {
        return Ok(None);
    }
    let Some(pid) = recorded(&instance) else {
        return Ok(None);
    };
    // The pidfd keeps referring to this process even if its PID is reused.
    let Some(process) = Pid::from_raw(i32::try_from(pid)?) else {
        return Ok(None);
    };
    let daemon = pidfd_open(process, PidfdFlags::empty())?;
    let executable = fs::read_link(format!("/proc/{pid}/exe"))?;
    let is_daemon = executable == std::env::current_exe()?
        && recorded(&instance) == Some(pid)
        && is_held(&instance)?;
    Ok(is_daemon.then_some(daemon))
}

/// The instance directory in another process's runtime directory.
fn instance_directory(runtime_directory: &Path) -> PathBuf {
    runtime_directory.join(HERD.name())
}

/// Whether a process holds the lock. The probe takes it for a moment; clients that meet the probe try again.
fn is_held(instance: &Path) -> Result<bool> {
    match File::open(instance)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn recorded(instance: &Path) -> Option<u32> {
    let record = fs::read_to_string(instance.join("record")).ok()?;
    let pid = record.lines().find_map(|line| line.strip_prefix("PID="))?;
    pid.parse().ok()
}
