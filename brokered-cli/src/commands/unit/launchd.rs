//! A property list for launchd. Experimental: it has never been used on macOS.

use plist::{Dictionary, Value};

use super::service::{File, Service};
use crate::error::CliError;

pub(super) fn file(service: &Service) -> Result<File, CliError> {
    let label = format!("brokered.{}", service.name);
    let program = service.program.iter().chain(&service.arguments);
    let mut variables = vec![
        ("BROKERED_ROLE", "daemon".into()),
        ("BROKERED_RUNTIME_DIR", service.runtime.as_str().into()),
    ];
    if let Some(instance) = service.instance_variable() {
        variables.push(("BROKERED_INSTANCE", instance.into()));
    }
    let listeners = dictionary([
        ("SockPathName", service.endpoint.as_str().into()),
        ("SockPathMode", 0o600.into()),
    ]);
    let job = dictionary([
        ("Label", label.as_str().into()),
        (
            "ProgramArguments",
            Value::Array(program.map(|word| word.as_str().into()).collect()),
        ),
        ("EnvironmentVariables", dictionary(variables)),
        ("Sockets", dictionary([("Listeners", listeners)])),
        ("ExitTimeOut", 15.into()),
    ]);
    let mut text = Vec::new();
    job.to_writer_xml(&mut text).map_err(CliError::failure)?;
    let text = String::from_utf8_lossy(&text).replacen(
        "<plist",
        "<!-- Experimental: it has never been used on macOS. -->\n<plist",
        1,
    );
    Ok(File {
        name: format!("{label}.plist"),
        text: text + "\n",
    })
}

fn dictionary<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let entries = entries.into_iter();
    let entries: Dictionary = entries
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    Value::Dictionary(entries)
}
