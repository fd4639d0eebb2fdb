//! `brokered status`: how a daemon fares.

use std::time::Duration;

use brokered_runtime::operator::format_duration;
use brokered_runtime::{Load, LoadState, Status};
use serde_json::{Value, json};

use super::list::look_at;
use crate::arguments::Ask;
use crate::error::{CliError, NOT_RUNNING};
use crate::inspect::Inspected;
use crate::output::{Output, style};
use crate::select;
use crate::table::Cell;

pub(crate) fn status(arguments: &Ask, output: &mut Output) -> Result<u8, CliError> {
    let mut directories = select::all(&arguments.target)?;
    if directories.is_empty() {
        directories.push(select::one(&arguments.target)?);
    }
    let mut seen = look_at(&directories, arguments.timeout);
    // Of several, those that have ended are not what is asked for.
    if seen.iter().any(Inspected::is_running) {
        seen.retain(Inspected::is_running);
    }
    if output.is_json() {
        match seen.as_slice() {
            [one] => output.json(&one.to_json())?,
            all => output.json(&json!({
                "daemons": all.iter().map(Inspected::to_json).collect::<Vec<Value>>(),
            }))?,
        }
    } else {
        for (index, seen) in seen.iter().enumerate() {
            if index > 0 {
                output.line("")?;
            }
            show(seen, output)?;
        }
    }
    Ok(seen
        .iter()
        .map(Inspected::code)
        .max()
        .unwrap_or(NOT_RUNNING))
}

fn show(seen: &Inspected, output: &mut Output) -> Result<(), CliError> {
    let head = match seen.contract() {
        Some(contract) if contract != 1 => format!("{} (contract {contract})", seen.name()),
        _ => seen.name(),
    };
    let mut lines = vec![
        ("daemon", Cell::new(style::HEAD, head)),
        ("phase", Cell::new(seen.style(), seen.phase())),
    ];
    if let Some(remark) = seen.remark() {
        let name = if seen.status().is_some() {
            "progress"
        } else {
            "why"
        };
        lines.push((name, Cell::from(remark)));
    }
    if let Some(instance) = seen.instance() {
        lines.push(("instance", Cell::from(instance)));
    }
    if let Some(pid) = seen.pid() {
        let up = seen.uptime().map(format_duration).unwrap_or_default();
        lines.push(("process", Cell::from(format!("{pid}, up {up}"))));
    }
    if let Some(status) = seen.status() {
        push_status(&mut lines, status);
    }
    let endpoint = seen.place.endpoint();
    lines.push(("endpoint", Cell::from(endpoint.to_string_lossy())));
    if let Some(log) = seen.log() {
        lines.push(("log", Cell::from(log.to_string_lossy())));
    }
    output.list(&lines)
}

fn push_status(lines: &mut Vec<(&'static str, Cell)>, status: &Status) {
    if let Some(package) = &status.package {
        let version = status.version.as_deref().unwrap_or_default();
        lines.push(("package", Cell::from(format!("{package} {version}"))));
    }
    lines.push(("owner", Cell::from(&status.owner)));
    lines.push((
        "clients",
        Cell::from(format!(
            "{} now, {} served",
            status.connections_open, status.connections_served
        )),
    ));
    if status.errors + status.panics > 0 {
        let text = format!("{} errors, {} panics", status.errors, status.panics);
        lines.push(("trouble", Cell::new(style::PENDING, text)));
    }
    if let Some(error) = &status.last_error {
        lines.push(("last error", Cell::new(style::PENDING, error)));
    }
    if let Some(after) = status.idle_exit {
        let text = format!("after {} without a client", format_duration(after));
        lines.push(("idle exit", Cell::from(text)));
    }
    if let Some(lived) = status.premain {
        let threads = match status.premain_threads {
            Some(threads) if threads > 1 => format!(", with {threads} threads"),
            _ => String::new(),
        };
        lines.push(("before main", Cell::from(said_precisely(lived) + &threads)));
    }
    for load in &status.loads {
        lines.push(("state", of_load(load)));
    }
}

fn of_load(load: &Load) -> Cell {
    let place = if load.in_background {
        ", in the background"
    } else {
        ""
    };
    let name = &load.name;
    match &load.state {
        LoadState::Loaded { took } => Cell::from(format!(
            "{name}: loaded in {}{place}",
            said_precisely(*took)
        )),
        LoadState::Failed { took, reason } => {
            let text = format!(
                "{name}: failed after {}{place}: {reason}",
                said_precisely(*took)
            );
            Cell::new(style::BAD, text)
        }
        _ => Cell::new(style::PENDING, format!("{name}: loading{place}")),
    }
}

/// A duration of which the small parts count.
pub(crate) fn said_precisely(duration: Duration) -> String {
    let microseconds = duration.as_micros();
    match microseconds {
        0..1000 => format!("{microseconds} µs"),
        1000..10_000 => format!("{:.2} ms", duration.as_secs_f64() * 1e3),
        10_000..1_000_000 => format!("{:.0} ms", duration.as_secs_f64() * 1e3),
        1_000_000..100_000_000 => format!("{:.2} s", duration.as_secs_f64()),
        _ => format_duration(duration),
    }
}
