//! Why the system refuses an access. Windows does not tell.

use std::io;
use std::path::Path;

use crate::platform::types::{Access, AccessFault};

pub(crate) fn access_fault(_error: &io::Error, _path: &Path, _access: Access) -> AccessFault {
    AccessFault::Unknown
}

pub(crate) fn is_about_permissions(_error: &io::Error) -> bool {
    false
}

#[cfg(feature = "operator")]
pub(crate) fn check_entry(_directory: &Path) -> io::Result<()> {
    Ok(())
}
