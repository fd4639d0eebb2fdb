//! What keeps another process from running.

use crate::platform::types::Halt;

/// Windows does not report whether a process is suspended.
pub(crate) fn process_halt(_pid: u32) -> Option<Halt> {
    None
}
