//! The probes of a container.

use std::fmt::Write as _;

use serde_json::json;

use super::service::{File, Service};

const PROBES: [(&str, &[&str], &str); 3] = [
    (
        "startupProbe",
        &[],
        "periodSeconds: 1\n  failureThreshold: 60",
    ),
    (
        "readinessProbe",
        &[],
        "periodSeconds: 5\n  timeoutSeconds: 2",
    ),
    (
        "livenessProbe",
        &["--live"],
        "periodSeconds: 10\n  timeoutSeconds: 2\n  failureThreshold: 3",
    ),
];

pub(super) fn file(service: &Service) -> File {
    let mut text = String::from(
        "# For the container's section of a pod. Daemon and probes need the same BROKERED_RUNTIME_DIR.\n",
    );
    for (probe, options, schedule) in PROBES {
        let mut command = vec!["brokered", "probe"];
        command.extend(options);
        let target = service.target_arguments();
        command.extend(target.iter().map(String::as_str));
        // A JSON array is also YAML.
        let command = json!(command);
        let _ = write!(
            text,
            "{probe}:\n  exec:\n    command: {command}\n  {schedule}\n"
        );
    }
    File {
        name: format!("{}-probes.yaml", service.name),
        text,
    }
}
