//! `brokered doctor`: what could keep daemons and clients from each other, and what to do about it.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use brokered_runtime::operator::{
    DaemonRecord, InstanceDirectories, InstanceDirectoryError, Recorded, UNRESPONSIVE_STOP_HINT,
    fits_endpoint, format_duration, inspect_hint, instance_directories, open_file_hint,
    open_files_limit, runtime_directories,
};
use serde_json::{Value, json};

use super::list::look_at;
use crate::arguments::Doctor;
use crate::error::{CliError, DONE, FAILED};
use crate::inspect::{Inspected, State};
use crate::output::{Output, style, styled, tame};

/// Below this many open files a daemon that serves many clients at once runs out of them.
const FEW_FILES: u64 = 1024;

/// The longest name that an instance commonly has: 64 characters and a hash.
const LONGEST: usize = 64 + 17;

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    level: Level,
    about: String,
    what: String,
    todo: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// As it should be.
    Fine,
    /// Worth knowing, and nothing to do.
    Note,
    /// It works, and may not for long.
    Warning,
    /// Something does not work.
    Problem,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    fn style(self) -> anstyle::Style {
        match self {
            Self::Fine => style::GOOD,
            Self::Note => style::PAST,
            Self::Warning => style::PENDING,
            Self::Problem => style::BAD,
        }
    }
}

/// What was found, in the order in which it was looked for.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        level: Level,
        about: impl Into<String>,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.0.push(Finding {
            level,
            about: about.into(),
            what: what.into(),
            todo: todo.into(),
        });
    }

    fn fine(&mut self, about: impl Into<String>, what: impl Into<String>) {
        self.add(Level::Fine, about, what, "");
    }
}

pub(crate) fn doctor(arguments: &Doctor, output: &mut Output) -> Result<u8, CliError> {
    let mut findings = Findings::default();
    environment(&mut findings);
    directories(&mut findings);
    match instance_directories() {
        Ok(directories) => instances(directories, &mut findings),
        Err(error) => unreachable_places(&error, &mut findings),
    }
    limits(&mut findings);
    let worst = findings.0.iter().map(|finding| finding.level).max();
    tell(&findings, arguments.verbose, output)?;
    Ok(match worst {
        Some(Level::Problem) => FAILED,
        _ => DONE,
    })
}

/// Variables that change what clients do, whoever set them.
fn environment(findings: &mut Findings) {
    const TELLING: [(&str, &str, &str); 4] = [
        (
            "BROKERED_LAUNCH",
            "clients in this environment start no daemon: they take this process for a daemon's front",
            "`unset BROKERED_LAUNCH`, if no daemon is meant",
        ),
        (
            "BROKERED_ROLE",
            "programs that are client and daemon in one become the daemon in this environment",
            "`unset BROKERED_ROLE`, if the client is meant",
        ),
        (
            "BROKERED_INSTANCE",
            "a daemon that is started by hand in this environment is this instance",
            "`unset BROKERED_INSTANCE`, if another one is meant",
        ),
        (
            "BROKERED_DISABLE",
            "clients in this environment use no daemon",
            "`unset BROKERED_DISABLE`, if they should",
        ),
    ];
    for (name, what, todo) in TELLING {
        if let Some(value) = env::var_os(name) {
            let about = format!("{name}={}", value.to_string_lossy());
            findings.add(Level::Warning, about, what, todo);
        }
    }
}

/// The runtime directory, why it is the one, and how much room for names it leaves.
fn directories(findings: &mut Findings) {
    let directories = match runtime_directories() {
        Ok(directories) => directories,
        Err(error) => {
            findings.add(
                Level::Problem,
                "runtime directory",
                error.to_string(),
                "set it to an absolute path, for daemons and for clients",
            );
            return;
        }
    };
    let Some(runtime) = directories.first() else {
        return;
    };
    let about = runtime.display().to_string();
    let why = ["BROKERED_RUNTIME_DIR", "XDG_RUNTIME_DIR"]
        .into_iter()
        .find(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
        .unwrap_or("neither BROKERED_RUNTIME_DIR nor XDG_RUNTIME_DIR");
    findings.fine(&about, format!("the runtime directory, by {why}"));
    if !runtime.exists() {
        findings.add(
            Level::Note,
            &about,
            "it is not there yet",
            "nothing: the first daemon or client makes it, with mode 0700",
        );
    }
    room_for_names(runtime, findings);
}

fn room_for_names(runtime: &Path, findings: &mut Findings) {
    let fits = |length: &usize| {
        let name = "x".repeat(*length);
        fits_endpoint(&runtime.join(name).join("control"))
    };
    let about = runtime.display().to_string();
    match (1..=LONGEST).rev().find(fits) {
        Some(LONGEST) => findings.fine(about, "there is room for the longest names of sockets"),
        room => findings.add(
            Level::Note,
            about,
            format!(
                "it is long: instances whose names have more than {} characters keep their sockets in {}",
                room.unwrap_or_default(),
                runtime_directories()
                    .ok()
                    .and_then(|all| all.into_iter().nth(1))
                    .map_or_else(String::new, |path| path.display().to_string()),
            ),
            "nothing: daemons and clients agree on it. A shorter BROKERED_RUNTIME_DIR, for all of them, \
             would keep everything in one place",
        ),
    }
}

fn unreachable_places(error: &InstanceDirectoryError, findings: &mut Findings) {
    findings.add(
        Level::Problem,
        "runtime directory",
        error.to_string(),
        "as it says; until then no daemon starts there",
    );
}

fn instances(directories: InstanceDirectories, findings: &mut Findings) {
    for path in directories.strange {
        findings.add(
            Level::Note,
            path.display().to_string(),
            "it is no directory, and no daemon has made it",
            "nothing: it is passed over",
        );
    }
    for seen in look_at(&directories.found, Duration::from_secs(1)) {
        instance(&seen, findings);
    }
}

fn instance(seen: &Inspected, findings: &mut Findings) {
    let about = seen.place.directory().display().to_string();
    if let Err(error) = seen.place.check() {
        let todo =
            "as it says; until then its daemon does not start, and its clients get this error";
        findings.add(Level::Problem, &about, error.to_string(), todo);
        return;
    }
    if let Some(what) = seen.place.path_occupant() {
        findings.add(
            Level::Problem,
            seen.place.endpoint().display().to_string(),
            format!("{what} is where the socket would be, which no daemon has made"),
            "move it elsewhere, or set BROKERED_RUNTIME_DIR to another directory, for daemon and clients",
        );
    }
    if let Recorded::Unreadable(why) = seen.recorded() {
        let (level, todo) = if seen.is_running() {
            (
                Level::Warning,
                "`brokered restart` with --program writes a new one",
            )
        } else {
            (Level::Note, "nothing: the next start replaces it")
        };
        let what = format!("the record tells nothing: {why}");
        findings.add(
            level,
            seen.place.record_path().display().to_string(),
            what,
            todo,
        );
    }
    if let Some(record) = seen.record()
        && record.is_from_the_future()
    {
        findings.add(
            Level::Warning,
            seen.place.record_path().display().to_string(),
            "it was written later than now, by this machine's clock",
            "set the clock right; nothing but ages goes by it",
        );
    }
    holder(seen, &about, findings);
}

/// Who holds the instance, and whether it is who says so.
fn holder(seen: &Inspected, about: &str, findings: &mut Findings) {
    let name = seen.name();
    let of = seen.place.name();
    match &seen.state {
        State::Answers(status) => {
            let up = format_duration(status.uptime);
            let what = format!(
                "{name}: process {} holds it, {}, up {up}",
                status.pid, status.phase
            );
            findings.fine(about, what);
            if status.panics > 0 {
                findings.add(
                    Level::Warning,
                    about,
                    format!(
                        "{name}: {} of its connections have ended in a panic",
                        status.panics
                    ),
                    format!("look into `brokered log {of}`, and tell its authors"),
                );
            }
        }
        State::Unasked => {
            let pid = seen.pid().unwrap_or_default();
            let what = format!("{name}: process {pid} holds it, a hand-written backend");
            findings.fine(about, what);
        }
        State::Silent(why) => silent(seen, why, about, findings),
        State::Ended => ended(seen, about, findings),
        State::Hidden(why) => findings.add(
            Level::Problem,
            about,
            why.clone(),
            "as it says, or run this as the user whose daemon it is",
        ),
    }
}

fn silent(seen: &Inspected, why: &str, about: &str, findings: &mut Findings) {
    let name = seen.name();
    let of = seen.place.name();
    let recorded = seen.record().map(|record| record.pid);
    let listening = seen.place.listening_process();
    let todo = match (recorded, listening) {
        (Some(recorded), Some(listening)) if recorded != listening => format!(
            "process {listening} listens, and the record names {recorded}: look what they are with \
             `{}`; nothing here would end either",
            inspect_hint(&[recorded, listening])
        ),
        (Some(pid), Some(_)) => format!(
            "process {pid} listens, and its framework's thread does not answer: it is stopped or starved \
             (`{}`); `brokered stop {of}` {UNRESPONSIVE_STOP_HINT}",
            inspect_hint(&[pid])
        ),
        (Some(pid), None) => format!(
            "nobody listens, and somebody holds the lock: `{}` names who; the record says \
             process {pid}",
            open_file_hint(about)
        ),
        (None, _) => format!(
            "somebody holds the lock and has recorded nothing: a daemon that is just starting, or one that \
             hangs at it; `{}` names who",
            open_file_hint(about)
        ),
    };
    findings.add(Level::Problem, about, format!("{name}: {why}"), todo);
}

fn ended(seen: &Inspected, about: &str, findings: &mut Findings) {
    let name = seen.name();
    let of = seen.place.name();
    match seen.record() {
        Some(record) if seen.has_failed() => findings.add(
            Level::Warning,
            about,
            format!(
                "{name} has failed, {} ago: {}",
                format_duration(record.age()),
                record.failure.as_deref().unwrap_or("it did not say why")
            ),
            format!(
                "mend what it says, then `brokered start {of}`; more is in `brokered log {of}`"
            ),
        ),
        Some(record) => findings.add(
            Level::Note,
            about,
            stale(&name, record),
            "nothing: its lock is free, and the next start takes everything over",
        ),
        None => findings.fine(about, format!("{name}: nobody holds it")),
    }
}

fn stale(name: &str, record: &DaemonRecord) -> String {
    format!(
        "{name} ended without a word: killed, or the machine went down; its record, of process {} and {} ago, \
         is history",
        record.pid,
        format_duration(record.age())
    )
}

/// What this user's processes may have, as far as that can be told from here.
fn limits(findings: &mut Findings) {
    match open_files_limit() {
        Some(limit) if limit < FEW_FILES => findings.add(
            Level::Warning,
            "open files",
            format!("a process may have {limit} open, and each client is one"),
            "`ulimit -n 4096` where daemons are started, or LimitNOFILE= in a unit",
        ),
        Some(limit) => findings.fine("open files", format!("a process may have {limit} open")),
        None => findings.fine("open files", "a process may have any number open"),
    }
    let backlog = fs::read_to_string("/proc/sys/net/core/somaxconn");
    if let Some(backlog) = backlog
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok())
    {
        let what = format!("{backlog} clients may wait for a daemon that does not accept yet");
        if backlog < 128 {
            findings.add(
                Level::Warning,
                "net.core.somaxconn",
                what,
                "`sysctl net.core.somaxconn=4096`, as root; it is for daemons that start after that",
            );
        } else {
            findings.fine("net.core.somaxconn", what);
        }
    }
}

fn tell(findings: &Findings, verbose: bool, output: &mut Output) -> Result<(), CliError> {
    if output.is_json() {
        let all = findings.0.iter().map(|finding| {
            json!({
                "level": finding.level.as_str(),
                "about": finding.about,
                "what": finding.what,
                "todo": Some(&finding.todo).filter(|todo| !todo.is_empty()),
            })
        });
        return output.json(&json!({ "findings": all.collect::<Vec<Value>>() }));
    }
    let mut shown = 0;
    for finding in &findings.0 {
        if finding.level == Level::Fine && !verbose {
            continue;
        }
        shown += 1;
        let level = styled(finding.level.style(), finding.level.as_str());
        let about = styled(style::HEAD, tame(&finding.about));
        output.line(format!("{level}  {about}"))?;
        output.paragraph(&tame(&finding.what))?;
        if !finding.todo.is_empty() {
            output.paragraph(&format!("→ {}", tame(&finding.todo)))?;
        }
    }
    let fine = findings.0.len() - shown;
    if fine > 0 {
        let text = format!("{fine} more are as they should be; --verbose tells them");
        let text = if shown == 0 {
            format!("all {fine} that were looked at are as they should be; --verbose tells them")
        } else {
            text
        };
        output.remark(style::PAST, &text)?;
    }
    Ok(())
}
