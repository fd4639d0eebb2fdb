//! `brokered unit`: files for service managers.
//!
//! `service` collects what they need to know of a daemon; `systemd`, `launchd` and `kubernetes` each write it in
//! the form of one of them.

mod kubernetes;
mod launchd;
mod service;
mod systemd;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use self::service::{File, Service};
use crate::arguments::{Manager, Unit};
use crate::error::{CliError, SUCCESS};
use crate::output::Output;
use crate::style::{self, styled};

pub(crate) fn unit(arguments: &Unit, output: &mut Output) -> Result<u8, CliError> {
    let service = Service::new(arguments)?;
    let files = match arguments.manager {
        Manager::Systemd => systemd::files(&service),
        Manager::Launchd => vec![launchd::file(&service)?],
        Manager::Kubernetes => vec![kubernetes::file(&service)],
    };
    if let Some(directory) = &arguments.write {
        write(directory, &files)?;
    }
    print(&files, arguments.write.as_deref(), output)?;
    Ok(SUCCESS)
}

fn write(directory: &Path, files: &[File]) -> Result<(), CliError> {
    let error =
        |path: &Path, error| CliError::failure(format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(directory).map_err(|source| error(directory, source))?;
    for file in files {
        let path = directory.join(&file.name);
        fs::write(&path, &file.text).map_err(|source| error(&path, source))?;
    }
    Ok(())
}

fn print(files: &[File], written_to: Option<&Path>, output: &mut Output) -> Result<(), CliError> {
    if output.is_json() {
        let all = files
            .iter()
            .map(|file| json!({ "name": file.name, "text": file.text }));
        return output.json(&json!({ "files": all.collect::<Vec<Value>>() }));
    }
    for (index, file) in files.iter().enumerate() {
        if let Some(directory) = written_to {
            output.line(directory.join(&file.name).display())?;
            continue;
        }
        if files.len() > 1 {
            let gap = if index > 0 { "\n" } else { "" };
            let heading = styled(style::DIMMED, format!("# {}", file.name));
            output.line(format!("{gap}{heading}"))?;
        }
        output.bytes(file.text.as_bytes())?;
    }
    Ok(())
}
