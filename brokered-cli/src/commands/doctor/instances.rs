//! Checks each instance: its directory, its record, and the process that holds its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use brokered_runtime::Status;
use brokered_runtime::operator::{
    InstanceDirectories, RecordState, instance_directories, runtime_directories, why_not_writable,
};

use super::finding::{Findings, Level};
use super::service_manager;
use crate::duration::format;
use crate::hints;
use crate::inspect::{Inspection, State, inspect_all};
use crate::pressure;

/// Checks all instances of this user. Waits for the answer of each daemon no longer than `timeout`.
pub(super) fn check_instances(timeout: Duration, findings: &mut Findings) {
    let InstanceDirectories {
        instances,
        other_entries,
        ..
    } = match instance_directories() {
        Ok(directories) => directories,
        Err(error) => {
            findings.add(
                Level::Problem,
                "runtime directory",
                error.to_string(),
                "correct what the error names; until then no daemon starts there",
            );
            return;
        }
    };
    for runtime in runtime_directories().unwrap_or_default() {
        check_writable(&runtime, findings);
    }
    for path in other_entries {
        findings.add(
            Level::Note,
            path.display().to_string(),
            "it is not a directory, and no daemon created it",
            "nothing: daemons and clients ignore it",
        );
    }
    let inspections = inspect_all(&instances, timeout);
    for inspection in &inspections {
        check_instance(inspection, timeout, findings);
    }
    check_contracts(&inspections, findings);
}

/// Checks whether daemons of one name run with several contract numbers. Old ones run on, and may not be needed any more.
fn check_contracts(inspections: &[Inspection], findings: &mut Findings) {
    let mut contracts: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for inspection in inspections.iter().filter(|one| one.is_running()) {
        if let Some(contract) = inspection.contract() {
            contracts
                .entry(inspection.name())
                .or_default()
                .insert(contract);
        }
    }
    for (name, contracts) in contracts {
        let Some(newest) = contracts.last() else {
            continue;
        };
        for old in contracts.iter().filter(|contract| *contract != newest) {
            findings.add(
                Level::Note,
                &name,
                format!(
                    "daemons with contract {old} run beside those with contract {newest}: programs of an older \
                     release use them"
                ),
                format!("if no program needs them any more, `brokered stop {name} --contract {old}`"),
            );
        }
    }
}

/// Checks that files can be created in a directory that this user owns.
fn check_writable(directory: &Path, findings: &mut Findings) {
    if directory.exists()
        && let Some(reason) = why_not_writable(directory)
    {
        findings.add(
            Level::Problem,
            directory.display().to_string(),
            format!("no file can be created in it: {reason}"),
            "correct what the error names; until then no daemon starts there",
        );
    }
}

fn check_instance(inspection: &Inspection, timeout: Duration, findings: &mut Findings) {
    let instance = &inspection.instance;
    if let Err(error) = instance.check_permissions() {
        findings.add(
            Level::Problem,
            instance.path().display().to_string(),
            error.to_string(),
            "correct what the error names; until then the daemon does not start, and its clients get this error",
        );
        return;
    }
    check_writable(instance.path(), findings);
    if let Some(conflict) = instance.endpoint_conflict() {
        findings.add(
            Level::Problem,
            instance.endpoint().display().to_string(),
            format!("{conflict} is in the place of the socket, and no daemon created it"),
            "move it elsewhere, or set BROKERED_RUNTIME_DIR to another directory, for daemons and clients",
        );
    }
    check_record(inspection, findings);
    check_process(inspection, timeout, findings);
}

fn check_record(inspection: &Inspection, findings: &mut Findings) {
    let path = inspection.instance.record_path().display().to_string();
    match inspection.record_state() {
        RecordState::Invalid(reason) => {
            let (level, advice) = if inspection.is_running() {
                let advice = "`brokered restart` with --program writes a new one";
                (Level::Warning, advice)
            } else {
                (Level::Note, "nothing: the next start replaces it")
            };
            let text = format!("the record cannot be used: {reason}");
            findings.add(level, path, text, advice);
        }
        RecordState::Valid(record) if record.is_ahead_of_clock() => findings.add(
            Level::Warning,
            path,
            "the time in it is later than now, by this machine's clock",
            "set the clock; only the ages of daemons depend on it",
        ),
        RecordState::Valid(_) | RecordState::Missing => {}
    }
}

/// Checks which process holds the instance, and whether it answers.
fn check_process(inspection: &Inspection, timeout: Duration, findings: &mut Findings) {
    let path = inspection.instance.path().display().to_string();
    let name = inspection.name();
    match &inspection.state {
        State::Running(status) => {
            check_status(inspection, status, findings);
            service_manager::check_unit(inspection, status, timeout, findings);
        }
        State::NoControl => {
            let pid = inspection.pid().unwrap_or_default();
            let text = format!("{name}: a hand-written backend runs, process {pid}");
            findings.add_fine(path, text);
        }
        State::Unresponsive(error) => {
            let advice = advice_on_unresponsive(inspection, &path);
            findings.add(Level::Problem, path, format!("{name}: {error}"), advice);
        }
        State::Ended => check_ended(inspection, findings),
        State::Inaccessible(error) => findings.add(
            Level::Problem,
            path,
            error.clone(),
            "correct what the error names",
        ),
    }
}

fn check_status(inspection: &Inspection, status: &Status, findings: &mut Findings) {
    let path = inspection.instance.path().display().to_string();
    let name = inspection.name();
    findings.add_fine(
        &path,
        format!(
            "{name}: {}, process {}, up {}",
            status.phase,
            status.pid,
            format(status.uptime)
        ),
    );
    if let Some(text) = pressure::connections(status) {
        findings.add(
            Level::Warning,
            &path,
            format!("{name}: connections: {text}"),
            "find out why its connections do not end, or raise `max_connections` in the daemon",
        );
    }
    if let Some(text) = pressure::descriptors(status) {
        findings.add(
            Level::Warning,
            &path,
            format!("{name}: descriptors: {text}"),
            "raise its limit of open files, with `ulimit -n` where it is started or LimitNOFILE= in a unit; lower \
             `max_connections` in the daemon; or end clients that keep idle connections",
        );
    }
    if status.panics > 0 {
        findings.add(
            Level::Warning,
            path,
            format!("{name}: {} connections ended in a panic", status.panics),
            format!(
                "read `brokered log {}`, and report it to the authors of the daemon",
                inspection.instance.name()
            ),
        );
    }
}

fn advice_on_unresponsive(inspection: &Inspection, path: &str) -> String {
    let recorded = inspection.record().map(|record| record.pid);
    let listening = inspection.instance.listening_process();
    match (recorded, listening) {
        (Some(recorded), Some(listening)) if recorded != listening => format!(
            "process {listening} listens, and the record names process {recorded}: `{}` shows both; \
             `brokered stop` ends neither of them",
            hints::inspect(&[recorded, listening])
        ),
        (Some(pid), Some(_)) => format!(
            "process {pid} listens, and its supervisor thread does not answer: the process is stopped or \
             gets no CPU time (`{}`); `brokered stop {}` {}",
            hints::inspect(&[pid]),
            inspection.instance.name(),
            hints::UNRESPONSIVE_STOP
        ),
        (Some(pid), None) => format!(
            "no process listens, and a process holds the lock: `{}` shows which one; the record names process {pid}",
            hints::open_file(path)
        ),
        (None, _) => format!(
            "a process holds the lock and has written no record: it is starting, or it is hung; \
             `{}` shows which process",
            hints::open_file(path)
        ),
    }
}

fn check_ended(inspection: &Inspection, findings: &mut Findings) {
    let path = inspection.instance.path().display().to_string();
    let name = inspection.name();
    let instance = inspection.instance.name();
    match inspection.record() {
        Some(record) if inspection.has_failed() => findings.add(
            Level::Warning,
            path,
            format!(
                "{name} failed {} ago: {}",
                format(record.age()),
                record.failure.as_deref().unwrap_or("no reason is recorded")
            ),
            format!(
                "correct what the failure names, then `brokered start {instance}`; \
                 `brokered log {instance}` shows its output"
            ),
        ),
        Some(record) => findings.add(
            Level::Note,
            path,
            format!(
                "{name} ended without a clean exit: it was killed, or the machine went down; \
                 this is a stale record, of process {}, {} old",
                record.pid,
                format(record.age())
            ),
            "nothing: the lock is free, and the next start replaces the record",
        ),
        None => findings.add_fine(path, format!("{name}: no process holds it")),
    }
}
