//! The switch: one variable, and clients do without daemons.

use std::env;
use std::ffi::OsStr;

use crate::Daemon;

/// Switches daemons off for clients: `1` all of them, or the names of some, with commas between.
pub(crate) const DISABLE: &str = "BROKERED_DISABLE";

/// Whether the user wants no such daemon.
pub(super) fn is_disabled(daemon: Daemon) -> bool {
    env::var_os(DISABLE).is_some_and(|value| names(&value, daemon.name()))
}

fn names(value: &OsStr, daemon: &str) -> bool {
    let value = value.to_string_lossy();
    value.trim() == "1" || value.split(',').any(|name| name.trim() == daemon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_all_and_a_list_is_those_in_it() {
        let off = |value: &str| names(OsStr::new(value), "words");
        assert!(off("1") && off("words") && off("indexd, words"));
        assert!(!off("") && !off("0") && !off("indexd") && !off("words-2,wor"));
    }
}
