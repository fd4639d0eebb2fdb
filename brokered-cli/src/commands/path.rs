//! `brokered path`: where the files of an instance are, or would be.

use serde_json::{Value, json};

use crate::arguments::{File, Path};
use crate::error::{CliError, SUCCESS};
use crate::output::Output;
use crate::select;

pub(crate) fn path(arguments: &Path, output: &mut Output) -> Result<u8, CliError> {
    let instance = select::find_or_derive(&arguments.target)?;
    let record = instance.read_record();
    let log = record.record().and_then(|record| record.log.clone());
    let log = log.unwrap_or_else(|| instance.default_log_path());
    let files = [
        (File::Endpoint, "endpoint", instance.endpoint()),
        (File::Control, "control", instance.control_endpoint()),
        (File::Record, "record", instance.record_path()),
        (File::Log, "log", log),
        (File::Directory, "directory", instance.path().to_owned()),
    ];
    if output.is_json() {
        let document = files
            .iter()
            .map(|(_, name, path)| ((*name).to_owned(), json!(path.to_string_lossy())));
        output.json(&Value::Object(document.collect()))?;
        return Ok(SUCCESS);
    }
    for (file, _, path) in files {
        if file == arguments.file {
            // Unchanged, for `$(brokered path ..)`.
            output.bytes(path.as_os_str().as_encoded_bytes())?;
            output.bytes(b"\n")?;
        }
    }
    Ok(SUCCESS)
}
