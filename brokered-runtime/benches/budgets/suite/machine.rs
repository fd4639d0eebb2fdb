//! The machine: how many cores, which of them a thread keeps to, and what to say about all that.

use std::fs;
use std::path::Path;

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
        "{} cores ({}), {} {}, runtime directories on {}, load {}",
        cores(),
        processor.as_deref().unwrap_or(std::env::consts::ARCH),
        std::env::consts::OS,
        kernel.trim(),
        file_system(scratch).unwrap_or_else(|| "a file system of unknown kind".into()),
        load(),
    )
}

/// The load average of the last minute: others who compute make every figure worse, and not evenly.
pub(super) fn load() -> String {
    let read = fs::read_to_string("/proc/loadavg").ok();
    let first = read.as_deref().and_then(|text| text.split(' ').next());
    first.unwrap_or("unknown").to_owned()
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
