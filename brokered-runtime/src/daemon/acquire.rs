//! Steps 2 and 3: hold the lock, bind the endpoint.

use std::thread;
use std::time::{Duration, Instant};

use super::activation::Manager;
use super::error::StartError;
use crate::endpoint;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::Channel;
use crate::record::Record;
use crate::{Instance, IpcListener};

/// How long a daemon that was started by hand waits for a lock: one that is ending needs a moment.
const PATIENCE: Duration = Duration::from_millis(50);

/// What a daemon has once it is bound.
#[derive(Debug)]
pub(crate) struct Acquired {
    pub(crate) instance: Instance,
    pub(crate) paths: Paths,
    pub(crate) lock: InstanceLock,
    pub(crate) record: Record,
    pub(crate) channel: Option<Channel>,
    pub(crate) manager: Option<Manager>,
    /// When `main` was entered, as the time since the machine was started.
    pub(crate) entered: Option<Duration>,
    /// A test's own directory, which goes with the daemon.
    #[cfg(feature = "testing")]
    pub(crate) scratch: Option<std::sync::Arc<crate::testing::Scratch>>,
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
            manager: None,
            entered: None,
            #[cfg(feature = "testing")]
            scratch: None,
        }
    }
}

/// Step 2, started by hand: prepares the directories and takes the lock.
pub(crate) fn take_lock(paths: &Paths) -> Result<InstanceLock, StartError> {
    paths.prepare()?;
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(1);
    loop {
        let taken = InstanceLock::try_take(paths).map_err(|source| StartError::Lock {
            path: paths.directory().to_owned(),
            source,
        })?;
        if let Some(lock) = taken {
            return Ok(lock);
        }
        if Instant::now() >= deadline {
            return Err(StartError::AlreadyBound {
                endpoint: paths.socket.clone(),
                holder: Record::read(paths).map(Box::new),
            });
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Step 3, unless a launcher has done it: binds.
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
