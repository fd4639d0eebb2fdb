//! Start-up is sacred ground: between the dynamic loader and `listen`, a daemon makes the system calls that
//! the protocol lists, and no others. `strace` is the judge, and an empty `main` in the same run the measure.

#![cfg(target_os = "linux")]

mod common;

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Outcome, Place, SINGLE, Signal, eventually, has};

/// What a daemon that is started by hand does until it listens, beyond what an empty `main` does.
const BY_HAND: &str = include_str!("../../brokered-runtime/docs/startup-by-hand.txt");

/// The same for a daemon that a client has started, and to which it has handed the listener.
const LAUNCHED: &str = include_str!("../../brokered-runtime/docs/startup-launched.txt");

#[test]
fn by_hand_nothing_happens_before_listen_but_what_is_listed() -> Outcome {
    if !has(&["strace"]) {
        return Ok(());
    }
    let place = Place::new()?;
    // Once before, so that its directory is there, and a stale socket in it.
    let mut command = place.command(SINGLE);
    command.env_remove("BROKERED_INSTANCE");
    let stale = place.start(command)?;
    stale.signal(Signal::SIGKILL);
    stale.end()?;
    let trace = Trace::of(&place, &[SINGLE], "by-hand")?;
    assert_eq!(trace.before_listen(&place)?, listed(BY_HAND));
    Ok(())
}

#[test]
#[cfg_attr(brokered_portable, ignore = "the list is what Linux does")]
fn launched_nothing_happens_before_listen_but_what_is_listed() -> Outcome {
    if !has(&["strace"]) {
        return Ok(());
    }
    let place = Place::new()?;
    let client = env!("CARGO_BIN_EXE_ask-single");
    let trace = Trace::of(&place, &[client, SINGLE], "launched")?;
    assert_eq!(trace.before_listen(&place)?, listed(LAUNCHED));
    Ok(())
}

/// The trace of one process.
struct Trace(PathBuf);

impl Trace {
    /// Traces a daemon, or a client that starts one, until the daemon has told a client its process ID.
    fn of(place: &Place, program: &[&str], name: &str) -> Result<Self, Box<dyn Error>> {
        let before = place.recorded("PID").unwrap_or_default();
        let mut strace = strace(place, &place.path().join(name));
        let mut traced = strace.args(program).stdout(Stdio::null()).spawn()?;
        eventually("it is recorded", || {
            place.recorded("PID").is_ok_and(|pid| pid != before)
                && place.recorded("PHASE").is_ok_and(|phase| phase == "ready")
        });
        let pid = place.recorded("PID")?;
        common::signal_process(pid.parse()?, Signal::SIGTERM);
        traced.wait()?;
        Ok(Self(place.path().join(format!("{name}.{pid}"))))
    }

    fn raw(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }

    /// What the process did after its `execve`.
    fn calls(&self, place: &Place) -> Vec<String> {
        let raw = self.raw();
        let begin = raw.find("execve(").unwrap_or_default();
        raw[begin..]
            .lines()
            .skip(1)
            .filter_map(|line| in_short(line, place))
            .collect()
    }

    /// What it did until it listened, beyond what an empty `main` does.
    fn before_listen(&self, place: &Place) -> Result<Vec<String>, Box<dyn Error>> {
        let mut empty = what_an_empty_main_does(place)?;
        let mut own = Vec::new();
        for call in self.calls(place) {
            match empty.get_mut(&call) {
                Some(count) if *count > 0 => *count -= 1,
                _ => own.push(call),
            }
        }
        let end = own.iter().position(|call| call == "listen");
        own.truncate(end.ok_or("it never listened")? + 1);
        own.dedup();
        Ok(own)
    }
}

fn what_an_empty_main_does(place: &Place) -> Result<HashMap<String, u32>, Box<dyn Error>> {
    let output = place.path().join("empty");
    let mut traced = strace(place, &output)
        .arg(env!("CARGO_BIN_EXE_empty"))
        .spawn()?;
    let trace = Trace(
        place
            .path()
            .join(format!("empty.{}", traced_child(&mut traced, &output)?)),
    );
    let mut calls = HashMap::new();
    for call in trace.calls(place) {
        *calls.entry(call).or_insert(0) += 1;
    }
    Ok(calls)
}

/// Waits for `strace`, and finds whom it has traced by the file that it has written.
fn traced_child(strace: &mut std::process::Child, output: &Path) -> Result<String, Box<dyn Error>> {
    assert!(strace.wait()?.success());
    let prefix = format!("{}.", output.display());
    let directory = output.parent().ok_or("no directory")?;
    for entry in fs::read_dir(directory)? {
        if let Some(pid) = entry?
            .path()
            .to_str()
            .and_then(|path| path.strip_prefix(&prefix))
        {
            return Ok(pid.to_owned());
        }
    }
    Err("strace has written nothing".into())
}

fn strace(place: &Place, output: &Path) -> Command {
    let mut strace = place.command("strace");
    strace
        .args(["-ff", "-qq", "-s", "200", "-o"])
        .arg(output)
        .env_remove("BROKERED_INSTANCE");
    strace
}

/// A call's name, and the path that it is about. Calls that only get memory are of no interest, and neither
/// is what only debug builds ask: whether a descriptor that is about to be closed is open.
fn in_short(line: &str, place: &Place) -> Option<String> {
    const MEMORY: [&str; 5] = ["brk", "mmap", "munmap", "mprotect", "madvise"];
    let (name, arguments) = line.split_once('(')?;
    if MEMORY.contains(&name)
        || arguments.contains("F_GETFD")
        || !name.starts_with(|first: char| first.is_ascii_lowercase())
    {
        return None;
    }
    let path = arguments
        .split('"')
        .nth(1)
        .filter(|text| text.starts_with('/'))
        .unwrap_or_default()
        .replace(&*place.runtime().to_string_lossy(), "<runtime>");
    Some(format!("{name} {path}").trim_end().to_owned())
}

/// The calls in a list, without what it says of them.
fn listed(list: &str) -> Vec<String> {
    list.lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .map(|call| call.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|call| !call.is_empty())
        .collect()
}
