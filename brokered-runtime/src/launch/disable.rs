//! `BROKERED_DISABLE`: one environment variable makes clients work without daemons.

use std::env;
use std::ffi::OsStr;

use crate::Daemon;

/// Disables daemons for clients: `1` disables all of them, a list of names with commas those in the list.
const DISABLE: &str = "BROKERED_DISABLE";

/// Whether the environment disables this daemon.
pub(super) fn is_disabled(daemon: Daemon) -> bool {
    env::var_os(DISABLE).is_some_and(|value| disables(&value, daemon.name()))
}

fn disables(value: &OsStr, daemon: &str) -> bool {
    let value = value.to_string_lossy();
    value.trim() == "1" || value.split(',').any(|name| name.trim() == daemon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disables_every_daemon_and_a_list_those_in_it() {
        let is_disabled = |value: &str| disables(OsStr::new(value), "words");
        assert!(is_disabled("1") && is_disabled("words") && is_disabled("indexd, words"));
        assert!(!is_disabled("") && !is_disabled("0") && !is_disabled("indexd"));
        assert!(!is_disabled("words-2,wor"));
    }
}
