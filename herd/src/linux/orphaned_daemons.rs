//! Daemons whose starter has ended: children of this process, so that it can count and end them.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};

use super::Result;

const PATIENCE: Duration = Duration::from_secs(20);

/// From now on they are.
pub(super) fn adopt() -> Result<()> {
    Ok(set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// The children that live. Until this process reaps them, their numbers belong to nobody else.
pub(super) fn living() -> Result<Vec<Pid>> {
    let mut pids = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let Ok(children) = fs::read_to_string(thread?.path().join("children")) else {
            // The thread has ended meanwhile.
            continue;
        };
        for child in children.split_whitespace() {
            let stat = fs::read_to_string(format!("/proc/{child}/stat"))?;
            let is_dead = stat
                .rsplit_once(") ")
                .is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
            if !is_dead {
                pids.extend(Pid::from_raw(child.parse()?));
            }
        }
    }
    Ok(pids)
}

/// Ends and reaps all children. How many of them lived.
pub(super) fn end_all() -> Result<usize> {
    let mut ended = 0;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // An orphan of an orphan appears here once its parent is gone.
        for pid in living()? {
            ended += usize::from(kill_process(pid, Signal::KILL).is_ok());
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(Errno::CHILD) => return Ok(ended),
                Err(error) => return Err(error.into()),
            }
        }
        if Instant::now() > deadline {
            return Err(format!("children are still there, {PATIENCE:?} after SIGKILL").into());
        }
        thread::sleep(Duration::from_millis(1));
    }
}
