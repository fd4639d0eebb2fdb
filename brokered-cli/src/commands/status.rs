//! `brokered status`: all that is known about a daemon.

use brokered_runtime::{Load, LoadState, Status};
use serde_json::{Value, json};

use crate::arguments;
use crate::duration::{format, format_precise};
use crate::error::{CliError, NOT_RUNNING};
use crate::inspect::{Inspection, inspect_all};
use crate::output::Output;
use crate::pressure;
use crate::select;
use crate::style;
use crate::table::Cell;

pub(crate) fn status(arguments: &arguments::Status, output: &mut Output) -> Result<u8, CliError> {
    let mut instances = select::find_all(&arguments.target)?;
    if instances.is_empty() {
        // For its error, which says what to do.
        instances.push(select::find_one(&arguments.target)?);
    }
    let mut daemons = inspect_all(&instances, arguments.timeout);
    // The instances that have ended are of interest only if no other runs.
    if daemons.iter().any(Inspection::is_running) {
        daemons.retain(Inspection::is_running);
    }
    if output.is_json() {
        match daemons.as_slice() {
            [one] => output.json(&one.to_json())?,
            several => output.json(&json!({
                "daemons": several.iter().map(Inspection::to_json).collect::<Vec<Value>>(),
            }))?,
        }
    } else {
        for (index, daemon) in daemons.iter().enumerate() {
            if index > 0 {
                output.line("")?;
            }
            print(daemon, output)?;
        }
    }
    let codes = daemons.iter().map(Inspection::exit_code);
    Ok(codes.max().unwrap_or(NOT_RUNNING))
}

fn print(daemon: &Inspection, output: &mut Output) -> Result<(), CliError> {
    let name = match daemon.contract() {
        Some(contract) if contract != 1 => format!("{} (contract {contract})", daemon.name()),
        _ => daemon.name(),
    };
    let mut pairs = vec![
        ("daemon", Cell::new(style::HEADING, name)),
        ("phase", Cell::new(daemon.style(), daemon.phase())),
    ];
    if let Some(remark) = daemon.remark() {
        let heading = match daemon.status() {
            Some(_) => "progress",
            None => "reason",
        };
        pairs.push((heading, Cell::from(remark)));
    }
    if let Some(label) = daemon.label() {
        pairs.push(("instance", Cell::from(label)));
    }
    if let Some(pid) = daemon.pid() {
        let up = daemon.uptime().map(format).unwrap_or_default();
        pairs.push(("process", Cell::from(format!("{pid}, up {up}"))));
    }
    if let Some(status) = daemon.status() {
        push_status(&mut pairs, status);
    }
    let endpoint = daemon.instance.endpoint();
    pairs.push(("endpoint", Cell::from(endpoint.to_string_lossy())));
    if let Some(log) = daemon.log() {
        pairs.push(("log", Cell::from(log.to_string_lossy())));
    }
    output.pairs(&pairs)
}

fn push_status(pairs: &mut Vec<(&'static str, Cell)>, status: &Status) {
    if let Some(package) = &status.package {
        let version = status.version.as_deref().unwrap_or_default();
        pairs.push(("package", Cell::from(format!("{package} {version}"))));
    }
    pairs.push(("owner", Cell::from(&status.owner)));
    pairs.push(("clients", clients_cell(status)));
    if let Some(text) = pressure::descriptors(status) {
        pairs.push(("descriptors", Cell::new(style::WARNING, text)));
    }
    for (heading, instances) in [
        ("waits for", &status.waits_for),
        ("connected to", &status.connected_to),
    ] {
        for instance in instances {
            pairs.push((heading, Cell::from(instance.to_string_lossy())));
        }
    }
    if status.errors + status.panics > 0 {
        let text = format!("{} errors, {} panics", status.errors, status.panics);
        pairs.push(("failures", Cell::new(style::WARNING, text)));
    }
    if let Some(error) = &status.last_error {
        pairs.push(("last error", Cell::new(style::WARNING, error)));
    }
    if let Some(notice) = &status.directory_notice {
        pairs.push(("directory", Cell::new(style::WARNING, notice)));
    }
    if let Some(reason) = &status.reload_refusal {
        let text = format!("the last one was refused: {reason}");
        pairs.push(("reloads", Cell::new(style::WARNING, text)));
    } else if status.reloads > 0 || status.is_reloading {
        let under_way = if status.is_reloading {
            ", and one under way"
        } else {
            ""
        };
        pairs.push((
            "reloads",
            Cell::from(format!("{}{under_way}", status.reloads)),
        ));
    }
    if let Some(after) = status.idle_exit {
        let text = format!("after {} without a client", format(after));
        pairs.push(("idle exit", Cell::from(text)));
    }
    if let Some(lived) = status.premain {
        let threads = match status.premain_threads {
            Some(threads) if threads > 1 => format!(", with {threads} threads"),
            _ => String::new(),
        };
        let text = format_precise(lived) + &threads;
        pairs.push(("before main", Cell::from(text)));
    }
    for load in &status.loads {
        pairs.push(("state", load_cell(load)));
    }
}

fn clients_cell(status: &Status) -> Cell {
    let served = status.connections_served;
    match pressure::connections(status) {
        Some(text) => Cell::new(style::WARNING, format!("{text}; {served} served")),
        None => Cell::from(format!("{} now, {served} served", status.connections_open)),
    }
}

fn load_cell(load: &Load) -> Cell {
    let name = &load.name;
    let background = if load.in_background {
        " in the background"
    } else {
        ""
    };
    match &load.state {
        LoadState::Loaded { took } => Cell::from(format!(
            "{name}: loaded{background} in {}",
            format_precise(*took)
        )),
        LoadState::Failed { took, reason } => {
            let took = format_precise(*took);
            let text = format!("{name}: failed{background} after {took}: {reason}");
            Cell::new(style::ERROR, text)
        }
        _ => Cell::new(style::WARNING, format!("{name}: loading{background}")),
    }
}
