//! Daemons whose launcher has ended. They become children of this process, which counts and reaps them.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};

use super::Result;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Makes this process the parent of all orphans below it.
pub(super) fn adopt() -> Result<()> {
    Ok(set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// The running children. Their PIDs cannot be reused before this process reaps them.
pub(super) fn running() -> Result<Vec<Pid>> {
    let mut pids = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let Ok(children) = fs::read_to_string(thread?.path().join("children")) else {
            // The thread has just ended.
            continue;
        };
        for child in children.split_whitespace() {
            let stat = fs::read_to_string(format!("/proc/{child}/stat"))?;
            let has_ended = stat
                .rsplit_once(") ")
                .is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
            if !has_ended {
                pids.extend(Pid::from_raw(child.parse()?));
            }
        }
    }
    Ok(pids)
}

/// Kills and reaps all children. Returns how many of them ran.
pub(super) fn kill_all() -> Result<usize> {
    let mut killed = 0;
    let deadline = Instant::now() + TIMEOUT;
    loop {
        // An orphan's own child becomes a child of this process once the orphan has ended.
        for pid in running()? {
            killed += usize::from(kill_process(pid, Signal::KILL).is_ok());
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(Errno::CHILD) => return Ok(killed),
                Err(error) => return Err(error.into()),
            }
        }
        if Instant::now() > deadline {
            return Err(format!("children still run, {TIMEOUT:?} after SIGKILL").into());
        }
        thread::sleep(Duration::from_millis(1));
    }
}
