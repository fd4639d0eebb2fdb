//! `brokered list`: all daemons of this user.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use brokered_runtime::__operator::{Place, Recorded, places, said_duration};
use serde_json::{Value, json};

use crate::arguments::List;
use crate::look::{Seen, State};
use crate::screen::{Screen, style, styled, tame};
use crate::table::{Cell, Column, Table};
use crate::trouble::{DONE, Trouble};

/// How many daemons are waited for at once. One that answers does so at once; those that don't are waited for
/// beside each other.
const AT_ONCE: usize = 16;

pub(crate) fn list(arguments: &List, screen: &mut Screen) -> Result<u8, Trouble> {
    let places = places().map_err(Trouble::failed)?;
    let mut seen = look_at(&places.found, arguments.timeout);
    seen.retain(|seen| arguments.all || is_worth_a_line(seen));
    seen.sort_by_cached_key(|seen| (!seen.is_running(), seen.name(), seen.instance()));
    if screen.is_json() {
        let daemons: Vec<Value> = seen.iter().map(Seen::to_json).collect();
        screen.json(&json!({ "daemons": daemons }))?;
    } else if seen.is_empty() {
        let said = styled(style::PAST, "no daemons run");
        screen.line(said)?;
    } else {
        screen.table(&table_of(&seen))?;
        for seen in seen
            .iter()
            .filter(|seen| !matches!(seen.state, State::Answers(_)))
        {
            remark(seen, screen)?;
        }
    }
    Ok(DONE)
}

/// Looks at all of them, in their order.
pub(crate) fn look_at(places: &[Place], patience: Duration) -> Vec<Seen> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(places.len()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(place) = places.get(index) else {
                return;
            };
            let seen = Seen::of(place.clone(), patience);
            if let Ok(mut done) = done.lock() {
                done.push((index, seen));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..AT_ONCE.min(places.len()) {
            // Fewer threads are slower, and no error.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut seen = done.into_inner().unwrap_or_default();
    seen.sort_by_key(|(index, _)| *index);
    seen.into_iter().map(|(_, seen)| seen).collect()
}

/// An instance that has ended and left nothing is one only to whoever asks for all.
fn is_worth_a_line(seen: &Seen) -> bool {
    !matches!(
        (&seen.state, &seen.recorded),
        (State::Ended, Recorded::Nothing)
    )
}

fn table_of(seen: &[Seen]) -> Table {
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
            cell(seen.uptime().map(said_duration)),
            cell(status.map(|status| status.open.to_string())),
            cell(status.and_then(|status| status.version.clone())),
            cell(seen.instance()),
        ]);
    }
    table
}

/// The name, with the contract where that is not the first.
fn name_of(seen: &Seen) -> String {
    match seen.contract() {
        Some(contract) if contract != 1 => format!("{}.{contract}", seen.name()),
        _ => seen.name(),
    }
}

fn remark(seen: &Seen, screen: &mut Screen) -> Result<(), Trouble> {
    let Some(remark) = seen.remark() else {
        return Ok(());
    };
    let name = styled(style::HEAD, tame(&name_of(seen)));
    screen.line(format!("{name}: {}", tame(&remark)))
}
