//! Kills the daemon of a place at random, and never anybody else.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{HERD, Result};

/// How often in a round. With the first start that makes five, as many as a launcher allows within half a minute.
const KILLS: u32 = 4;

/// Kills, at random instants, until it is told to stop.
#[derive(Debug)]
pub(super) struct Killer<'a> {
    place: &'a Path,
    /// The longest pause between two kills.
    pause: Duration,
    stop: AtomicBool,
    kills: AtomicU32,
}

impl<'a> Killer<'a> {
    pub(super) fn new(place: &'a Path, clients: usize) -> Self {
        // A herd takes about a millisecond for each client here; all kills should fall into that.
        let pause = Duration::from_millis(4)
            + Duration::from_micros(500) * u32::try_from(clients).unwrap_or(0);
        Self {
            place,
            pause,
            stop: AtomicBool::new(false),
            kills: AtomicU32::new(0),
        }
    }

    /// What runs on its thread.
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

    /// Kills the daemon, if there is one.
    fn kill(&self) -> Option<()> {
        let daemon = find(self.place).ok()??;
        pidfd_send_signal(daemon, Signal::KILL).ok()
    }
}

/// The daemon of a place, if its lock is held and its record leads to a process that runs this executable.
fn find(place: &Path) -> Result<Option<OwnedFd>> {
    let instance = instance(place);
    if !is_held(&instance)? {
        return Ok(None);
    }
    let Some(pid) = recorded(&instance) else {
        return Ok(None);
    };
    // From here on it is this process, whatever becomes of its number.
    let Some(process) = Pid::from_raw(i32::try_from(pid)?) else {
        return Ok(None);
    };
    let daemon = pidfd_open(process, PidfdFlags::empty())?;
    let runs = fs::read_link(format!("/proc/{pid}/exe"))?;
    let is_it =
        runs == std::env::current_exe()? && recorded(&instance) == Some(pid) && is_held(&instance)?;
    Ok(is_it.then_some(daemon))
}

/// The directory of the instance, worked out as its clients do, with the place in the place of ours.
fn instance(place: &Path) -> PathBuf {
    place.join(HERD.name())
}

/// Whether somebody holds the lock. Looking takes it for an instant: a client that meets that tries again.
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
