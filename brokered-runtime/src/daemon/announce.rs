//! The message of a daemon that was started by hand on a terminal, once it is bound.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::platform;

/// Prints where the daemon listens and how to connect to it, if standard error is a terminal.
pub(super) fn announce(name: &str, endpoint: &Path) {
    let mut terminal = io::stderr();
    if !terminal.is_terminal() {
        return;
    }
    let connect = platform::connect_hint(endpoint)
        .map(|command| format!("  connect:  {command}\n"))
        .unwrap_or_default();
    let _ = write!(
        terminal,
        "{name} listens on {}\n{connect}  stop:     ^C\n",
        endpoint.display()
    );
}
