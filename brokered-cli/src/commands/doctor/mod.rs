//! `brokered doctor`: checks for what prevents clients from reaching daemons, and says what to do.
//!
//! `environment` checks what all daemons share, `instances` checks each instance, and `service_manager` checks the unit
//! that a daemon runs in. All add to the `finding`s, which are printed here.

mod environment;
mod finding;
mod instances;
mod service_manager;

use serde_json::{Value, json};

use self::finding::{Findings, Level};
use crate::arguments::Doctor;
use crate::error::{CliError, FAILURE, SUCCESS};
use crate::output::Output;
use crate::style::{self, styled};
use crate::text::sanitize;

pub(crate) fn doctor(arguments: &Doctor, output: &mut Output) -> Result<u8, CliError> {
    let mut findings = Findings::default();
    environment::check_variables(&mut findings);
    environment::check_runtime_directory(&mut findings);
    instances::check_instances(arguments.timeout, &mut findings);
    environment::check_sockets(&mut findings);
    environment::check_limits(&mut findings);
    if output.is_json() {
        print_json(&findings, output)?;
    } else {
        print(&findings, arguments.verbose, output)?;
    }
    Ok(match findings.worst() {
        Level::Problem => FAILURE,
        _ => SUCCESS,
    })
}

fn print_json(findings: &Findings, output: &mut Output) -> Result<(), CliError> {
    let all = findings.0.iter().map(|finding| {
        json!({
            "level": finding.level.as_str(),
            "about": finding.subject,
            "what": finding.text,
            "todo": Some(&finding.advice).filter(|advice| !advice.is_empty()),
        })
    });
    output.json(&json!({ "findings": all.collect::<Vec<Value>>() }))
}

fn print(findings: &Findings, verbose: bool, output: &mut Output) -> Result<(), CliError> {
    let is_shown = |level| verbose || level != Level::Fine;
    for finding in &findings.0 {
        if !is_shown(finding.level) {
            continue;
        }
        let level = styled(finding.level.style(), finding.level.as_str());
        let subject = styled(style::HEADING, sanitize(&finding.subject));
        output.line(format!("{level}  {subject}"))?;
        output.paragraph(&sanitize(&finding.text))?;
        if !finding.advice.is_empty() {
            output.paragraph(&format!("→ {}", sanitize(&finding.advice)))?;
        }
    }
    let total = findings.0.len();
    let levels = findings.0.iter().map(|finding| finding.level);
    let hidden = levels.filter(|level| !is_shown(*level)).count();
    if hidden > 0 {
        let text = if hidden == total {
            format!("all {total} checks are fine; --verbose shows them")
        } else {
            format!("{hidden} other checks are fine; --verbose shows them")
        };
        output.note(style::DIMMED, &text)?;
    }
    Ok(())
}
