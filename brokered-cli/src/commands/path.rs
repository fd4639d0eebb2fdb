//! `brokered path`: where a daemon listens, or would.

use serde_json::json;

use crate::arguments::{File, PathOf};
use crate::find;
use crate::screen::Screen;
use crate::trouble::{DONE, Trouble};

pub(crate) fn path(arguments: &PathOf, screen: &mut Screen) -> Result<u8, Trouble> {
    let place = find::one_or_new(&arguments.target)?;
    let recorded = place.recorded();
    let log = recorded.story().and_then(|story| story.log.clone());
    let log = log.unwrap_or_else(|| place.log());
    let all = [
        (File::Endpoint, "endpoint", place.endpoint()),
        (File::Control, "control", place.control()),
        (File::Record, "record", place.record_path()),
        (File::Log, "log", log),
        (File::Directory, "directory", place.directory().to_owned()),
    ];
    if screen.is_json() {
        let document = all
            .iter()
            .map(|(_, name, path)| ((*name).to_owned(), json!(path.to_string_lossy())));
        screen.json(&serde_json::Value::Object(document.collect()))?;
        return Ok(DONE);
    }
    for (file, _, path) in all {
        if file == arguments.file {
            // As it is, for `$(brokered path ..)`: it is a path that this user's own processes have made.
            screen.bytes(path.as_os_str().as_encoded_bytes())?;
            screen.bytes(b"\n")?;
        }
    }
    Ok(DONE)
}
