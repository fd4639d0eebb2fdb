//! `brokered list`: all daemons of this user.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use brokered_runtime::operator::{
    InstanceDirectory, Recorded, format_duration, instance_directories,
};
use serde_json::{Value, json};

use crate::arguments::List;
use crate::error::{CliError, DONE};
use crate::inspect::{Inspected, State};
use crate::output::{Output, style, styled, tame};
use crate::table::{Cell, Column, Table};

/// How many daemons are waited for at once, if many are slow.
const AT_ONCE: usize = 64;

/// So many daemons that a second thread is worth its start.
const MANY: usize = 32;

/// A daemon that takes longer than this is waited for beside the others.
const AT_ONCE_AFTER: Duration = Duration::from_millis(5);

pub(crate) fn list(arguments: &List, output: &mut Output) -> Result<u8, CliError> {
    let directories = instance_directories().map_err(CliError::failed)?;
    let mut seen = look_at(&directories.found, arguments.timeout);
    seen.retain(|seen| arguments.all || is_worth_a_line(seen));
    seen.sort_by_cached_key(|seen| (!seen.is_running(), seen.name(), seen.instance()));
    if output.is_json() {
        let daemons: Vec<Value> = seen.iter().map(Inspected::to_json).collect();
        output.json(&json!({ "daemons": daemons }))?;
    } else if seen.is_empty() {
        let said = styled(style::PAST, "no daemons run");
        output.line(said)?;
    } else {
        output.table(&table_of(&seen))?;
        remarks(&seen, output)?;
    }
    Ok(DONE)
}

/// Looks at all of them, in their order.
pub(crate) fn look_at(directories: &[InstanceDirectory], timeout: Duration) -> Vec<Inspected> {
    let looking = Looking {
        directories,
        timeout,
        next: AtomicUsize::new(0),
        workers: AtomicUsize::new(1),
        done: Mutex::new(Vec::with_capacity(directories.len())),
    };
    thread::scope(|scope| {
        // Of many, one thread asks while the other reads what it was told.
        if directories.len() >= MANY {
            looking.hire(scope);
        }
        looking.work(scope);
    });
    let mut seen = looking.done.into_inner().unwrap_or_default();
    seen.sort_by_key(|(index, _)| *index);
    seen.into_iter().map(|(_, seen)| seen).collect()
}

/// A look at many daemons. Those that answer do so at once, and one or two threads are the fastest; for each that
/// does not, another thread goes on with the rest.
struct Looking<'a> {
    directories: &'a [InstanceDirectory],
    timeout: Duration,
    next: AtomicUsize,
    workers: AtomicUsize,
    done: Mutex<Vec<(usize, Inspected)>>,
}

impl Looking<'_> {
    fn work<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(place) = self.directories.get(index) else {
                return;
            };
            let quickly = AT_ONCE_AFTER.min(self.timeout);
            let mut seen = Inspected::of(place.clone(), quickly);
            if matches!(seen.state, State::Silent(_)) && quickly < self.timeout {
                self.hire(scope);
                seen = Inspected::of(place.clone(), self.timeout);
            }
            if let Ok(mut done) = self.done.lock() {
                done.push((index, seen));
            }
        }
    }

    /// One more thread, unless there are enough. Fewer are slower, and no error.
    fn hire<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>) {
        if self.workers.fetch_add(1, Ordering::Relaxed) < AT_ONCE {
            let _ = thread::Builder::new().spawn_scoped(scope, || self.work(scope));
        }
    }
}

/// An instance that has ended and left nothing is one only to whoever asks for all.
fn is_worth_a_line(seen: &Inspected) -> bool {
    !matches!(seen.state, State::Ended) || !matches!(seen.recorded(), Recorded::Nothing)
}

fn table_of(seen: &[Inspected]) -> Table {
    let mut table = Table::new([
        Column::left("NAME").giving_way(),
        Column::left("PHASE"),
        Column::right("PID"),
        Column::right("UP"),
        Column::right("CLIENTS"),
        Column::left("VERSION"),
        Column::left("INSTANCE").giving_way(),
    ]);
    for seen in seen {
        let past = if seen.is_running() {
            style::PLAIN
        } else {
            style::PAST
        };
        let cell = |text: Option<String>| Cell::new(past, text.unwrap_or_default());
        let status = seen.status();
        table.push([
            cell(Some(name_of(seen))),
            Cell::new(seen.style(), seen.phase()),
            cell(seen.pid().map(|pid| pid.to_string())),
            cell(seen.uptime().map(format_duration)),
            cell(status.map(|status| status.connections_open.to_string())),
            cell(status.and_then(|status| status.version.clone())),
            cell(seen.instance()),
        ]);
    }
    table
}

/// The name, with the contract where that is not the first.
fn name_of(seen: &Inspected) -> String {
    match seen.contract() {
        Some(contract) if contract != 1 => format!("{}.{contract}", seen.name()),
        _ => seen.name(),
    }
}

/// What there is to say of those that do not answer.
fn remarks(seen: &[Inspected], output: &mut Output) -> Result<(), CliError> {
    let mut is_first = true;
    for seen in seen {
        let (State::Silent(_) | State::Ended | State::Hidden(_), Some(remark)) =
            (&seen.state, seen.remark())
        else {
            continue;
        };
        if std::mem::take(&mut is_first) {
            output.line("")?;
        }
        let instance = seen.instance();
        let of = instance.map_or_else(String::new, |of| format!(" {}", tame(&of)));
        let name = styled(style::HEAD, tame(&name_of(seen)));
        output.line(format!("{name}{of}: {}", tame(&remark)))?;
    }
    Ok(())
}
