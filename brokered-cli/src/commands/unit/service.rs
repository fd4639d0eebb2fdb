//! [`Service`]: a daemon as a service manager starts it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use brokered_runtime::operator::{InstanceDirectory, canonicalize};

use crate::arguments::{Manager, Target, Unit};
use crate::commands::start::unknown_executable;
use crate::error::{CliError, USAGE};
use crate::select;

/// A file for a service manager.
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: String,
}

/// A daemon as a service manager starts it. All texts are free of control characters.
pub(super) struct Service {
    /// The name of the units: that of the instance directory.
    pub(super) name: String,
    pub(super) endpoint: String,
    /// The runtime directory.
    pub(super) runtime: String,
    /// `None` if Kubernetes does not need it.
    pub(super) program: Option<String>,
    pub(super) arguments: Vec<String>,
    target: Target,
    directory: Option<String>,
    instance: Option<String>,
}

impl Service {
    /// The service that the arguments describe, with what the record adds.
    pub(super) fn new(arguments: &Unit) -> Result<Self, CliError> {
        let target = &arguments.target;
        let instance = select::find_or_derive(target)?;
        let record = instance.read_record();
        let record = record.record();
        let given = &arguments.program;
        let recorded = record.and_then(|record| record.program.as_ref());
        let program = match given.program.as_ref().or(recorded) {
            Some(program) => Some(std::path::absolute(program).map_err(CliError::failure)?),
            None if arguments.manager == Manager::Kubernetes => None,
            None => return Err(unknown_executable(target)),
        };
        let program_arguments = match (&given.program, record) {
            (None, Some(record)) => &record.arguments,
            _ => &given.arguments,
        };
        let directory = match (record, &target.directory) {
            (Some(record), _) => record.directory.clone(),
            (None, Some(directory)) => Some(canonical(directory)?),
            (None, None) => None,
        };
        let instance_name = match record {
            Some(record) => &record.instance,
            None => &target.instance,
        };
        let program_arguments = program_arguments.iter().map(|one| checked(one));
        // Kubernetes runs the probe alone.
        let program = program.filter(|_| arguments.manager != Manager::Kubernetes);
        Ok(Self {
            name: instance.name(),
            endpoint: checked(instance.endpoint().as_os_str())?,
            runtime: checked(runtime_of(&instance).as_os_str())?,
            program: program
                .map(|program| checked(program.as_os_str()))
                .transpose()?,
            arguments: program_arguments.collect::<Result<_, _>>()?,
            target: target.clone(),
            directory: directory
                .map(|directory| checked(directory.as_os_str()))
                .transpose()?,
            instance: instance_name
                .as_ref()
                .map(|name| checked(name.as_ref()))
                .transpose()?,
        })
    }

    /// The value of `BROKERED_INSTANCE`, which tells a daemon without a launcher which instance it is.
    pub(super) fn instance_variable(&self) -> Option<&str> {
        self.directory.as_deref().or(self.instance.as_deref())
    }

    /// The arguments of `brokered` that mean this daemon.
    pub(super) fn target_arguments(&self) -> Vec<String> {
        let contract = self.target.contract.map(|number| number.to_string());
        let options = [
            ("--directory", &self.directory),
            ("--instance", &self.instance),
            ("--contract", &contract),
        ];
        let mut arguments = vec![self.target.daemon.clone()];
        for (option, value) in options {
            if let Some(value) = value {
                arguments.extend([option.to_owned(), value.clone()]);
            }
        }
        arguments
    }
}

fn runtime_of(instance: &InstanceDirectory) -> &Path {
    instance.path().parent().unwrap_or(Path::new("/"))
}

fn canonical(directory: &Path) -> Result<PathBuf, CliError> {
    canonicalize(directory)
        .map_err(|error| CliError::new(USAGE, format!("{}: {error}", directory.display())))
}

/// The text, if it can be in a file of lines.
fn checked(text: &OsStr) -> Result<String, CliError> {
    match text.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(CliError::new(
            USAGE,
            format!(
                "{} cannot be in a unit: it has control characters, or is not valid UTF-8",
                text.display()
            ),
        )),
    }
}
