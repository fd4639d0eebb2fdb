//! Steps 2 and 3: take the instance lock, and bind the endpoint.

#[cfg(feature = "testing")]
use std::any::Any;
use std::io;
#[cfg(feature = "testing")]
use std::sync::Arc;
use std::time::Duration;

use super::error::StartError;
use super::service_manager::ServiceManager;
use crate::backoff::Backoff;
use crate::deadline::Deadline;
use crate::endpoint;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{Access, Channel};
use crate::record::Record;
use crate::{Instance, IpcListener, Refusal};

/// How long a daemon that was started by hand waits for the lock. A process that looks at the lock holds it for less. A
/// daemon that drains holds it longer, and the second daemon ends with 69.
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// How often another process may remove the directory at the very moment at which it is to be locked.
const MAX_REMOVALS: u32 = 100;

/// What a daemon has acquired once it is bound.
#[derive(Debug)]
pub(crate) struct Acquired {
    pub(crate) instance: Instance,
    pub(crate) paths: Paths,
    pub(crate) lock: InstanceLock,
    pub(crate) record: Record,
    /// The channel to the launcher, if a launcher started the daemon.
    pub(crate) channel: Option<Channel>,
    /// The service manager, if it asked for notifications.
    pub(crate) service_manager: Option<ServiceManager>,
    /// When `main` began, as the time since boot.
    pub(crate) main_began: Option<Duration>,
    /// The directory of a unit test's daemon. It is removed after the lock on it is released.
    #[cfg(feature = "testing")]
    pub(crate) test_directory: Option<Arc<dyn Any + Send + Sync>>,
}

impl Acquired {
    pub(crate) fn new(
        instance: Instance,
        paths: Paths,
        lock: InstanceLock,
        record: Record,
    ) -> Self {
        Self {
            instance,
            paths,
            lock,
            record,
            channel: None,
            service_manager: None,
            main_began: None,
            #[cfg(feature = "testing")]
            test_directory: None,
        }
    }
}

/// Step 2 without a launcher's lock: creates the directories and takes the lock.
pub(crate) fn take_lock(paths: &Paths) -> Result<InstanceLock, StartError> {
    paths.prepare()?;
    let deadline = Deadline::after(LOCK_TIMEOUT);
    let mut backoff = Backoff::new();
    let mut removals = 0;
    loop {
        match InstanceLock::try_take(paths) {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) if deadline.is_over() => {
                return Err(StartError::AlreadyBound {
                    endpoint: paths.socket.clone(),
                    holder: Record::read(paths).map(Box::new),
                });
            }
            Ok(None) => {}
            // Another process has removed the directory since it was prepared.
            Err(error) if error.kind() == io::ErrorKind::NotFound && removals < MAX_REMOVALS => {
                removals += 1;
                paths.prepare()?;
                continue;
            }
            Err(source) => {
                return Err(StartError::Lock {
                    path: paths.directory().to_owned(),
                    refusal: Refusal::of(&source, paths.directory(), Access::Lock),
                    source,
                });
            }
        }
        backoff.pause(&deadline);
    }
}

/// Step 3: binds, unless a launcher has passed a listener.
pub(crate) fn bind(
    adopted: Option<IpcListener>,
    paths: &Paths,
    lock: &InstanceLock,
) -> Result<IpcListener, StartError> {
    match adopted {
        Some(listener) => Ok(listener),
        None => Ok(endpoint::bind(paths, lock)?),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    #[test]
    fn the_lock_is_taken_although_the_directory_is_removed_again_and_again()
    -> Result<(), Box<dyn std::error::Error>> {
        let root = tempfile::tempdir()?;
        let paths = Paths::in_directory(root.path().join("runtime/some"));
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let removes = scope.spawn(|| {
                let mut removed = 0;
                while !is_done.load(Ordering::Relaxed) {
                    if let Ok(Some(_lock)) = InstanceLock::try_take(&paths) {
                        removed += u32::from(fs::remove_dir(paths.directory()).is_ok());
                    }
                }
                removed
            });
            let taken: Vec<_> = (0..2000).map(|_| take_lock(&paths).map(drop)).collect();
            is_done.store(true, Ordering::Relaxed);
            assert!(removes.join().expect("no panic") > 0);
            for lock in taken {
                match lock {
                    // The other thread may have held it all the time.
                    Ok(()) | Err(StartError::AlreadyBound { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        Ok(())
    }
}
