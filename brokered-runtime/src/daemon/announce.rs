//! What a daemon that was started by hand on a terminal says once it is bound.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Says where the daemon listens and how to talk to it, if somebody is there to read it.
pub(super) fn announce(name: &str, endpoint: &Path) {
    let mut terminal = io::stderr();
    if !terminal.is_terminal() {
        return;
    }
    let endpoint = endpoint.display();
    let _ = write!(
        terminal,
        "{name} listens on {endpoint}\n  talk to it:  socat - UNIX-CONNECT:{endpoint}\n  \
         end it:      ^C\n"
    );
}
