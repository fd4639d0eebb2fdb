//! The limit of the size of files, which Windows does not have.

pub(crate) fn survive_file_size_limit() {}
