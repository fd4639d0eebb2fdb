//! What a process is doing, and how many threads this process has. Windows has no cheap way to find out.

use crate::platform::types::ProcessActivity;

pub(crate) fn process_activity(_pid: u32) -> Option<ProcessActivity> {
    None
}

pub(crate) fn thread_count() -> Option<u32> {
    None
}
