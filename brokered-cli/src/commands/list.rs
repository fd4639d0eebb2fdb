//! `brokered list`: all daemons of this user.

use brokered_runtime::operator::{RecordState, instance_directories};
use serde_json::{Value, json};

use crate::arguments::List;
use crate::duration::format;
use crate::error::{CliError, SUCCESS};
use crate::inspect::{Inspection, State, inspect_all};
use crate::output::Output;
use crate::style::{self, styled};
use crate::table::{Cell, Column, Table};
use crate::text::sanitize;

pub(crate) fn list(arguments: &List, output: &mut Output) -> Result<u8, CliError> {
    let directories = instance_directories().map_err(CliError::failure)?;
    let mut daemons = inspect_all(&directories.instances, arguments.timeout);
    daemons.retain(|daemon| arguments.all || !has_ended_cleanly(daemon));
    daemons.sort_by_cached_key(|daemon| (!daemon.is_running(), daemon.name(), daemon.label()));
    if output.is_json() {
        let daemons: Vec<Value> = daemons.iter().map(Inspection::to_json).collect();
        output.json(&json!({ "daemons": daemons }))?;
    } else if daemons.is_empty() {
        output.line(styled(style::DIMMED, "no daemons are running"))?;
    } else {
        output.table(&table_of(&daemons))?;
        print_remarks(&daemons, output)?;
    }
    Ok(SUCCESS)
}

fn has_ended_cleanly(daemon: &Inspection) -> bool {
    matches!(daemon.state, State::Ended) && matches!(daemon.record_state(), RecordState::Missing)
}

fn table_of(daemons: &[Inspection]) -> Table {
    let mut table = Table::new([
        Column::left("NAME").shrinking(),
        Column::left("PHASE"),
        Column::right("PID"),
        Column::right("UP"),
        Column::right("CLIENTS"),
        Column::left("VERSION"),
        Column::left("INSTANCE").shrinking(),
    ]);
    for daemon in daemons {
        let style = if daemon.is_running() {
            style::PLAIN
        } else {
            style::DIMMED
        };
        let cell = |text: Option<String>| Cell::new(style, text.unwrap_or_default());
        let status = daemon.status();
        table.push([
            cell(Some(daemon.name_and_contract())),
            Cell::new(daemon.style(), daemon.phase()),
            cell(daemon.pid().map(|pid| pid.to_string())),
            cell(daemon.uptime().map(format)),
            cell(status.map(|status| status.connections_open.to_string())),
            cell(status.and_then(|status| status.version.clone())),
            cell(daemon.label()),
        ]);
    }
    table
}

/// Says of each daemon that does not answer why it does not.
fn print_remarks(daemons: &[Inspection], output: &mut Output) -> Result<(), CliError> {
    let mut is_first = true;
    for daemon in daemons {
        let (State::Unresponsive(_) | State::Ended | State::Inaccessible(_), Some(remark)) =
            (&daemon.state, daemon.remark())
        else {
            continue;
        };
        if std::mem::take(&mut is_first) {
            output.line("")?;
        }
        let label = daemon.label();
        let label = label.map_or_else(String::new, |label| format!(" {}", sanitize(&label)));
        let name = sanitize(&daemon.name_and_contract());
        let text = format!("{label}: {}", sanitize(&remark));
        output.remark(style::HEADING, &name, &text)?;
    }
    Ok(())
}
