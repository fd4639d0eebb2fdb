//! [`Scratch`]: a directory for one test, which is removed with it.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;
use crate::nonce::new_nonce;
use crate::platform;

/// A directory for one test. Private to this user, and removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

/// As long as the longest endpoint below a scratch directory, except for very long names.
const LONG_ENDPOINT: &str =
    "brokered-0123456789ab/runtime/daemon-of-some-name.2-0123456789abcdef/control";

/// The number of characters of the nonce in the directory's name.
const NONCE_LENGTH: usize = 12;

impl Scratch {
    pub(super) fn new() -> Result<Self, Error> {
        let temporary = env::temp_dir();
        let parent = if platform::fits_endpoint(&temporary.join(LONG_ENDPOINT)) {
            temporary
        } else {
            // The path of a Unix socket has at most about a hundred bytes.
            PathBuf::from("/tmp")
        };
        loop {
            let nonce = new_nonce();
            let path = parent.join(format!("brokered-{}", &nonce[..NONCE_LENGTH]));
            match platform::create_new_directory(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(Error::new(
                        format!("create the directory {} for a test", path.display()),
                        error,
                    ));
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The runtime directory.
    pub(super) fn runtime(&self) -> PathBuf {
        self.0.join("runtime")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
