//! The machine: how many cores, which of them a thread keeps to, and what to say about all that.

use std::fs;
use std::path::Path;
use std::time::Instant;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use super::Result;

/// The cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One line that says where the figures come from.
pub(super) fn describe(scratch: &Path) -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} cores ({}), {} {}, runtime directories on {}",
        cores(),
        processor.as_deref().unwrap_or(std::env::consts::ARCH),
        std::env::consts::OS,
        kernel.trim(),
        file_system(scratch).unwrap_or_else(|| "a file system of unknown kind".into()),
    )
}

/// How much others compute meanwhile: that makes every figure worse, and not evenly.
#[derive(Debug)]
pub(super) struct Others {
    all: f64,
    ours: f64,
    began: Instant,
}

impl Others {
    /// From now on. `None` where the system doesn't say.
    pub(super) fn watch() -> Option<Self> {
        Some(Self {
            all: busy_seconds()?,
            ours: our_seconds()?,
            began: Instant::now(),
        })
    }

    /// Their part of all cores, since [`watch`](Self::watch).
    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    pub(super) fn share(&self, cores: usize) -> Option<f64> {
        let theirs = (busy_seconds()? - self.all) - (our_seconds()? - self.ours);
        Some((theirs / (self.began.elapsed().as_secs_f64() * cores as f64)).max(0.0))
    }
}

/// What all processes have computed since the machine started, and what the machine's host took away.
fn busy_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let all = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = all
        .split_whitespace()
        .map_while(|ticks| ticks.parse().ok())
        .collect();
    // user, nice, system, idle, waiting, interrupts, soft interrupts, stolen, in hundredths of a second
    let busy: f64 = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|&field| ticks.get(field))
        .sum();
    Some(busy / 100.0)
}

/// What this process has computed, and all below it that have ended.
fn our_seconds() -> Option<f64> {
    let spent = |who| getrusage(who).ok().map(|usage| seconds(&usage));
    Some(spent(UsageWho::RUSAGE_SELF)? + spent(UsageWho::RUSAGE_CHILDREN)?)
}

/// User and system time.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^52 microseconds are 142 years"
)]
pub(super) fn seconds(usage: &Usage) -> f64 {
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn file_system(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let (_, kind) = mounted
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.len())?;
    Some(kind.to_owned())
}

/// Keeps the calling thread, and what it starts, to one core until dropped. Linux only: elsewhere, and on a
/// machine with a single core, it does nothing.
#[derive(Debug)]
pub(super) struct Pinned {
    #[cfg(target_os = "linux")]
    before: nix::sched::CpuSet,
}

impl Pinned {
    /// `nth` of the cores that the process may use.
    #[cfg(target_os = "linux")]
    pub(super) fn to(nth: usize) -> Result<Self> {
        use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
        use nix::unistd::Pid;

        let this_thread = Pid::from_raw(0);
        let before = sched_getaffinity(this_thread)?;
        let allowed: Vec<usize> = (0..CpuSet::count())
            .filter(|&core| before.is_set(core).unwrap_or(false))
            .collect();
        let mut one = CpuSet::new();
        one.set(allowed[nth % allowed.len()])?;
        sched_setaffinity(this_thread, &one)?;
        Ok(Self { before })
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(
        clippy::unnecessary_wraps,
        reason = "it can fail where it does something"
    )]
    pub(super) fn to(_nth: usize) -> Result<Self> {
        Ok(Self {})
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &self.before);
    }
}
