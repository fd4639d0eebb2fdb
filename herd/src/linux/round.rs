//! One herd in a place of its own.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use super::arguments::Case;
use super::burst::{Client, Herd};
use super::daemon::{SECOND, SOLE};
use super::killer::Killer;
use super::sides::{Side, notes};
use super::tally::{Round, Tally};
use super::{HERD, Result, orphans};

/// Lets one herd go and adds up what came of it.
pub(super) fn run(tally: &mut Tally, nth: usize) -> Result<()> {
    let scratch = tempfile::Builder::new()
        .prefix("herd-")
        .tempdir_in(parent())?;
    let place = scratch.path().join("place");
    DirBuilder::new().mode(0o700).create(&place)?;
    tally.side.prepare(&place)?;
    if tally.case == Case::Stale {
        make_stale(tally.side, &place, scratch.path())?;
    }
    let gathered = Herd::gather(tally.clients, scratch.path(), || tally.side.client(&place))?;
    let killer = Killer::new(&place, tally.clients);
    let clients = if tally.case == Case::Killed {
        thread::scope(|scope| {
            scope.spawn(|| killer.run());
            let clients = gathered.let_go();
            killer.stop();
            clients
        })?
    } else {
        gathered.let_go()?
    };
    let living = orphans::living()?.len();
    orphans::end_all()?;
    let (owners, seconds) = noted(tally.side, &place, &clients, living)?;
    tally.add(
        nth,
        Round {
            clients,
            owners,
            seconds,
            kills: killer.kills(),
        },
    );
    Ok(())
}

/// How many daemons there were, and how many of them while there was another one.
fn noted(side: Side, place: &Path, clients: &[Client], living: usize) -> Result<(usize, usize)> {
    if side != Side::Brokered {
        let mut answered: Vec<_> = clients
            .iter()
            .filter_map(|client| side.answer(&client.said))
            .map(|answer| answer.daemon)
            .collect();
        answered.sort_unstable();
        answered.dedup();
        let owners = answered.len().max(living);
        return Ok((owners, owners.saturating_sub(1)));
    }
    let notes = fs::read_to_string(notes(place))?;
    let count = |what: &str| {
        let lines = notes.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(_, noted)| *noted == what).count()
    };
    let seconds = count(SECOND);
    Ok((count(SOLE) + seconds, seconds))
}

/// One client starts a daemon, which is then killed.
fn make_stale(side: Side, place: &Path, scratch: &Path) -> Result<()> {
    let first = Herd::gather(1, scratch, || side.client(place))?.let_go()?;
    let answered = first
        .iter()
        .all(|client| side.answer(&client.said).is_some());
    if !answered || orphans::end_all()? == 0 {
        return Err(format!("the first client got no answer: {first:?}").into());
    }
    if side == Side::Brokered {
        let socket = place.join(HERD.name()).join("socket");
        if !socket.exists() || UnixStream::connect(&socket).is_ok() {
            return Err(format!("{} is no stale socket", socket.display()).into());
        }
        fs::write(notes(place), "")?;
    }
    Ok(())
}

/// Where runtime directories are in earnest: in memory.
fn parent() -> PathBuf {
    let usual = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let candidates = usual.into_iter().chain([PathBuf::from("/dev/shm")]);
    let writable = |path: &PathBuf| tempfile::tempfile_in(path).is_ok();
    candidates
        .into_iter()
        .find(writable)
        .unwrap_or_else(std::env::temp_dir)
}
