//! An inspection for programs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use brokered_runtime::{Load, LoadState};
use serde_json::{Value, json};

use super::inspection::{Inspection, State};

impl Inspection {
    /// All that is known. The keys are stable; a key that does not apply is `null` or missing.
    pub(crate) fn to_json(&self) -> Value {
        let mut document = json!({
            "name": self.name(),
            "state": self.state.as_str(),
            "phase": self.phase(),
            "pid": self.pid(),
            "contract": self.contract(),
            "directory": self.directory().map(Path::to_string_lossy),
            "instance": self.instance_name(),
            "uptime_seconds": self.uptime().map(|uptime| uptime.as_secs_f64()),
            "endpoint": self.instance.endpoint().to_string_lossy(),
            "control": self.instance.control_endpoint().to_string_lossy(),
            "log": self.log().as_deref().map(Path::to_string_lossy),
            "remark": self.remark(),
        });
        if let Some(record) = self.record() {
            let arguments = record.arguments.iter().map(|one| one.to_string_lossy());
            add(
                &mut document,
                json!({
                    "program": record.program.as_deref().map(Path::to_string_lossy),
                    "arguments": arguments.collect::<Vec<_>>(),
                    "failure": record.failure,
                    "recorded_pid": record.pid,
                    "recorded_phase": record.phase.as_str(),
                }),
            );
        }
        if let Some(status) = self.status() {
            let loads: Vec<Value> = status.loads.iter().map(load_to_json).collect();
            add(
                &mut document,
                json!({
                    "owner": status.owner,
                    "package": status.package,
                    "version": status.version,
                    "clients": status.connections_open,
                    "clients_limit": status.connections_limit,
                    "clients_refused": status.clients_refused,
                    "descriptors": status.descriptors_open,
                    "descriptors_limit": status.descriptors_limit,
                    "descriptor_shortages": status.descriptor_shortages,
                    "waits_for": paths_to_json(&status.waits_for),
                    "connected_to": paths_to_json(&status.connected_to),
                    "served": status.connections_served,
                    "errors": status.errors,
                    "panics": status.panics,
                    "last_error": status.last_error,
                    "directory_notice": status.directory_notice,
                    "progress": status.progress,
                    "reloads": status.reloads,
                    "reloading": status.is_reloading,
                    "reload_refused": status.reload_refusal,
                    "idle_exit_seconds": status.idle_exit.map(|after| after.as_secs()),
                    "premain_seconds": status.premain.map(|lived| lived.as_secs_f64()),
                    "premain_threads": status.premain_threads,
                    "loads": loads,
                }),
            );
        }
        document
    }
}

/// Appends the entries of the second object to the first.
fn add(document: &mut Value, more: Value) {
    if let (Value::Object(document), Value::Object(more)) = (document, more) {
        document.extend(more);
    }
}

impl State {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Running(_) => "running",
            Self::Unresponsive(_) => "silent",
            Self::NoControl => "unasked",
            Self::Ended => "ended",
            Self::Inaccessible(_) => "hidden",
        }
    }
}

fn paths_to_json(paths: &[PathBuf]) -> Value {
    paths.iter().map(|path| path.to_string_lossy()).collect()
}

fn load_to_json(load: &Load) -> Value {
    let (state, took, failure) = match &load.state {
        LoadState::Loaded { took } => ("loaded", Some(took), None),
        LoadState::Failed { took, reason } => ("failed", Some(took), Some(reason)),
        _ => ("loading", None, None),
    };
    json!({
        "name": load.name,
        "in_background": load.in_background,
        "state": state,
        "seconds": took.map(Duration::as_secs_f64),
        "failure": failure,
    })
}
