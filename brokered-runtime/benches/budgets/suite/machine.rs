//! The machine: its description, its cores, its load, and the pinning of threads.

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

/// A one-line description of the machine.
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

/// The CPU time of other processes, which distorts the figures.
#[derive(Debug)]
pub(super) struct OtherLoad {
    all: f64,
    ours: f64,
    began: Instant,
}

impl OtherLoad {
    /// Measures from now on. `None` if the system does not report it.
    pub(super) fn start() -> Option<Self> {
        Some(Self {
            all: busy_seconds()?,
            ours: our_seconds()?,
            began: Instant::now(),
        })
    }

    /// The share of all cores since [`start`](Self::start).
    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    pub(super) fn share(&self, cores: usize) -> Option<f64> {
        let theirs = (busy_seconds()? - self.all) - (our_seconds()? - self.ours);
        Some((theirs / (self.began.elapsed().as_secs_f64() * cores as f64)).max(0.0))
    }
}

/// The CPU time of all processes since boot, and the time that the host has stolen.
fn busy_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let all = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = all
        .split_whitespace()
        .map_while(|ticks| ticks.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal, in hundredths of a second
    let busy: f64 = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|&field| ticks.get(field))
        .sum();
    Some(busy / 100.0)
}

/// The CPU time of this process and of its descendants that have ended.
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

/// Pins the calling thread, and the processes that it starts, to one core until this is dropped. Elsewhere than on Linux it
/// does nothing.
#[derive(Debug)]
pub(super) struct Pinned {
    #[cfg(target_os = "linux")]
    before: nix::sched::CpuSet,
}

impl Pinned {
    /// Pins to the `nth` core that the process may use.
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
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on Linux")]
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
