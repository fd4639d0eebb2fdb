//! What a daemon that was started by hand on a terminal says once it is bound.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::platform;

/// Says where the daemon listens and how to talk to it, if somebody is there to read it.
pub(super) fn announce(name: &str, endpoint: &Path) {
    let mut terminal = io::stderr();
    if !terminal.is_terminal() {
        return;
    }
    let talk = platform::connect_hint(endpoint)
        .map(|command| format!("  talk to it:  {command}\n"))
        .unwrap_or_default();
    let _ = write!(
        terminal,
        "{name} listens on {}\n{talk}  end it:      ^C\n",
        endpoint.display()
    );
}
