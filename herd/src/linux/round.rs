//! One round: a herd in its own runtime directory.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use super::arguments::Case;
use super::daemon::{ONLY, SECOND};
use super::fault_injector::FaultInjector;
use super::implementation::{Implementation, daemon_log};
use super::simultaneous_clients::{Client, Herd};
use super::statistics::{Round, Statistics};
use super::{HERD, Result, orphaned_daemons};

/// Runs one herd, and adds its result to the statistics.
pub(super) fn run(statistics: &mut Statistics, nth: usize) -> Result<()> {
    let scratch = tempfile::Builder::new()
        .prefix("herd-")
        .tempdir_in(parent())?;
    let directory = scratch.path().join("runtime");
    DirBuilder::new().mode(0o700).create(&directory)?;
    statistics.implementation.prepare(&directory)?;
    if statistics.case == Case::Stale {
        leave_stale_files(statistics.implementation, &directory, scratch.path())?;
    }
    let herd = Herd::start(statistics.clients, scratch.path(), || {
        statistics.implementation.client(&directory)
    })?;
    let fault_injector = FaultInjector::new(&directory, statistics.clients);
    let clients = if statistics.case == Case::Killed {
        thread::scope(|scope| {
            scope.spawn(|| fault_injector.run());
            let clients = herd.release();
            fault_injector.stop();
            clients
        })?
    } else {
        herd.release()?
    };
    let running = orphaned_daemons::running()?.len();
    orphaned_daemons::kill_all()?;
    let (daemons, second_daemons) =
        count_daemons(statistics.implementation, &directory, &clients, running)?;
    statistics.add(
        nth,
        Round {
            clients,
            daemons,
            second_daemons,
            kills: fault_injector.kills(),
        },
    );
    Ok(())
}

/// The number of daemons, and how many of them were bound while another one was.
fn count_daemons(
    implementation: Implementation,
    directory: &Path,
    clients: &[Client],
    running: usize,
) -> Result<(usize, usize)> {
    if implementation != Implementation::Brokered {
        let mut pids: Vec<_> = clients
            .iter()
            .filter_map(|client| implementation.reply(&client.output))
            .map(|reply| reply.daemon)
            .collect();
        pids.sort_unstable();
        pids.dedup();
        let daemons = pids.len().max(running);
        return Ok((daemons, daemons.saturating_sub(1)));
    }
    let log = fs::read_to_string(daemon_log(directory))?;
    let count = |entry: &str| {
        let lines = log.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(_, logged)| *logged == entry).count()
    };
    let second_daemons = count(SECOND);
    Ok((count(ONLY) + second_daemons, second_daemons))
}

/// Leaves stale files: one client launches a daemon, which is then killed.
fn leave_stale_files(
    implementation: Implementation,
    directory: &Path,
    scratch: &Path,
) -> Result<()> {
    let first = Herd::start(1, scratch, || implementation.client(directory))?.release()?;
    let replied = first
        .iter()
        .all(|client| implementation.reply(&client.output).is_some());
    if !replied || orphaned_daemons::kill_all()? == 0 {
        return Err(format!("the first client got no reply: {first:?}").into());
    }
    if implementation == Implementation::Brokered {
        let socket = directory.join(HERD.name()).join("socket");
        if !socket.exists() || UnixStream::connect(&socket).is_ok() {
            return Err(format!("{} is not a stale socket", socket.display()).into());
        }
        fs::write(daemon_log(directory), "")?;
    }
    Ok(())
}

/// A directory on tmpfs, as `$XDG_RUNTIME_DIR` is, where there is one.
fn parent() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let candidates = runtime.into_iter().chain([PathBuf::from("/dev/shm")]);
    let writable = |path: &PathBuf| tempfile::tempfile_in(path).is_ok();
    candidates
        .into_iter()
        .find(writable)
        .unwrap_or_else(std::env::temp_dir)
}
