//! System calls before `listen`. Between the dynamic loader and `listen`, a daemon makes only the calls that the protocol
//! lists. The tests trace it with `strace`, and subtract the calls of an empty `main` in the same run.

#![cfg(target_os = "linux")]

mod common;

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Fixture, SINGLE_INSTANCE_DAEMON, Signal, TestResult, has_requirements, wait_until};

/// The system calls of a daemon started by hand until `listen`, without those of an empty `main`.
const BY_HAND: &str = include_str!("../../brokered-runtime/docs/startup-by-hand.txt");

/// The same for a launched daemon, which adopts the launcher's listener.
const LAUNCHED: &str = include_str!("../../brokered-runtime/docs/startup-launched.txt");

#[test]
fn a_start_by_hand_makes_only_the_listed_system_calls_before_listen() -> TestResult {
    if !has_requirements(&["strace"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    // The killed daemon leaves its directory and a stale socket.
    let stale = fixture.start(fixture.command_without_instance(SINGLE_INSTANCE_DAEMON))?;
    stale.signal(Signal::SIGKILL);
    stale.wait_with_output()?;
    let trace = Trace::of(&fixture, &[SINGLE_INSTANCE_DAEMON], "by-hand")?;
    assert_eq!(trace.before_listen(&fixture)?, listed(BY_HAND));
    Ok(())
}

#[test]
#[cfg_attr(brokered_portable, ignore = "the list is for Linux")]
fn a_launched_daemon_makes_only_the_listed_system_calls_before_listen() -> TestResult {
    if !has_requirements(&["strace"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let client = env!("CARGO_BIN_EXE_single-instance-client");
    let trace = Trace::of(&fixture, &[client, SINGLE_INSTANCE_DAEMON], "launched")?;
    assert_eq!(trace.before_listen(&fixture)?, listed(LAUNCHED));
    Ok(())
}

/// The trace of one process.
struct Trace(PathBuf);

impl Trace {
    /// Traces a daemon, or a client that launches one, until the daemon is ready.
    fn of(fixture: &Fixture, program: &[&str], name: &str) -> Result<Self, Box<dyn Error>> {
        let before = fixture.record_value("PID").unwrap_or_default();
        let mut strace = strace(fixture, &fixture.path().join(name));
        let mut traced = strace.args(program).stdout(Stdio::null()).spawn()?;
        wait_until("the daemon is ready", || {
            fixture.record_value("PID").is_ok_and(|pid| pid != before)
                && fixture
                    .record_value("PHASE")
                    .is_ok_and(|phase| phase == "ready")
        });
        let pid = fixture.record_value("PID")?;
        common::signal_process(pid.parse()?, Signal::SIGTERM);
        traced.wait()?;
        Ok(Self(fixture.path().join(format!("{name}.{pid}"))))
    }

    fn raw(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }

    /// The system calls of the process after its `execve`.
    fn calls(&self, fixture: &Fixture) -> Vec<String> {
        let raw = self.raw();
        let begin = raw.find("execve(").unwrap_or_default();
        raw[begin..]
            .lines()
            .skip(1)
            .filter_map(|line| summarize(line, fixture))
            .collect()
    }

    /// The system calls until `listen`, without those of an empty `main`.
    fn before_listen(&self, fixture: &Fixture) -> Result<Vec<String>, Box<dyn Error>> {
        let mut baseline = calls_of_empty_main(fixture)?;
        let mut own = Vec::new();
        for call in self.calls(fixture) {
            match baseline.get_mut(&call) {
                Some(count) if *count > 0 => *count -= 1,
                _ => own.push(call),
            }
        }
        let end = own.iter().position(|call| call == "listen");
        own.truncate(end.ok_or("no call of listen")? + 1);
        own.dedup();
        Ok(own)
    }
}

/// How often an empty `main` makes each system call.
fn calls_of_empty_main(fixture: &Fixture) -> Result<HashMap<String, u32>, Box<dyn Error>> {
    let output = fixture.path().join("empty");
    let mut traced = strace(fixture, &output)
        .arg(env!("CARGO_BIN_EXE_empty-main"))
        .spawn()?;
    let trace = Trace(
        fixture
            .path()
            .join(format!("empty.{}", traced_pid(&mut traced, &output)?)),
    );
    let mut calls = HashMap::new();
    for call in trace.calls(fixture) {
        *calls.entry(call).or_insert(0) += 1;
    }
    Ok(calls)
}

/// Waits for `strace`, and returns the PID of the traced process, by the name of its output file.
fn traced_pid(strace: &mut std::process::Child, output: &Path) -> Result<String, Box<dyn Error>> {
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
    Err("no output file of strace".into())
}

fn strace(fixture: &Fixture, output: &Path) -> Command {
    let mut strace = fixture.command_without_instance("strace");
    strace.args(["-ff", "-qq", "-s", "200", "-o"]).arg(output);
    strace
}

/// A call's name and its path. Calls that only allocate memory are skipped, and so is `F_GETFD`, by which debug builds check
/// descriptors before they close them.
fn summarize(line: &str, fixture: &Fixture) -> Option<String> {
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
        .replace(&*fixture.runtime_directory().to_string_lossy(), "<runtime>");
    Some(format!("{name} {path}").trim_end().to_owned())
}

/// The calls in a list, without the comments.
fn listed(list: &str) -> Vec<String> {
    list.lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .map(|call| call.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|call| !call.is_empty())
        .collect()
}
