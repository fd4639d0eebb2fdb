//! `brokered path`: where a daemon listens, or would.

use serde_json::json;

use crate::arguments::{File, PathOf};
use crate::error::{CliError, DONE};
use crate::output::Output;
use crate::select;

pub(crate) fn path(arguments: &PathOf, output: &mut Output) -> Result<u8, CliError> {
    let place = select::one_or_new(&arguments.target)?;
    let recorded = place.recorded();
    let log = recorded.record().and_then(|record| record.log.clone());
    let log = log.unwrap_or_else(|| place.log());
    let all = [
        (File::Endpoint, "endpoint", place.endpoint()),
        (File::Control, "control", place.control()),
        (File::Record, "record", place.record_path()),
        (File::Log, "log", log),
        (File::Directory, "directory", place.directory().to_owned()),
    ];
    if output.is_json() {
        let document = all
            .iter()
            .map(|(_, name, path)| ((*name).to_owned(), json!(path.to_string_lossy())));
        output.json(&serde_json::Value::Object(document.collect()))?;
        return Ok(DONE);
    }
    for (file, _, path) in all {
        if file == arguments.file {
            // As it is, for `$(brokered path ..)`: it is a path that this user's own processes have made.
            output.bytes(path.as_os_str().as_encoded_bytes())?;
            output.bytes(b"\n")?;
        }
    }
    Ok(DONE)
}
