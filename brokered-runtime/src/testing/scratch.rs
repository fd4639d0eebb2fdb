//! A directory of a test's own, which goes when it is dropped.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;
use crate::{handoff, platform};

/// A directory of a test's own, ours alone, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

/// Longer than what is bound below a scratch for all but the longest names.
const ROOM: &str = "brokered-0123456789ab/runtime/daemon-of-some-name.2-0123456789abcdef/control";

impl Scratch {
    pub(super) fn new() -> Result<Self, Error> {
        let temporary = env::temp_dir();
        let parent = if platform::fits_endpoint(&temporary.join(ROOM)) {
            temporary
        } else {
            // A socket's path is short.
            PathBuf::from("/tmp")
        };
        loop {
            let nonce = handoff::new_nonce();
            let path = parent.join(format!("brokered-{}", &nonce[..12]));
            match platform::create_new_directory(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(Error::new(
                        format!("make the directory {} for a test", path.display()),
                        error,
                    ));
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The runtime directory in it.
    pub(super) fn runtime(&self) -> PathBuf {
        self.0.join("runtime")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
