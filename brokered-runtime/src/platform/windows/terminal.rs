//! The controlling terminal, which Windows does not have: a console that closes is an event of its own.

pub(crate) fn has_controlling_terminal() -> bool {
    false
}

pub(crate) fn replace_lost_terminal() {}
