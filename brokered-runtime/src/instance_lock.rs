//! The instance lock: the kernel lock that makes a daemon the only one.
//!
//! The kernel releases it when the last process that holds it is gone, however that went. So no file has
//! to be cleaned up by anybody, and no PID is ever asked whether it is alive.

use std::fs::{File, TryLockError};
use std::io;

use crate::identity::paths::Paths;
use crate::platform::{self, ForkGuard};

/// The instance lock, held as long as this lives, here or in a process that it was handed to.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    /// Dropped first: from then on the number may be another file's.
    _seal: ForkGuard,
    file: File,
}

impl InstanceLock {
    fn on(file: File) -> Self {
        Self {
            _seal: ForkGuard::new(&file),
            file,
        }
    }

    /// Takes the lock. `None` if somebody else holds it.
    pub(crate) fn try_take(paths: &Paths) -> io::Result<Option<Self>> {
        loop {
            let file = paths.open_lock()?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Between opening and locking, somebody may have replaced what is at the path, and another
            // process would lock that.
            if paths.is_locked_by(&file)? {
                return Ok(Some(Self::on(file)));
            }
        }
    }

    /// Whether somebody holds the lock. Where there is no directory, nobody does.
    pub(crate) fn is_held(paths: &Paths) -> io::Result<bool> {
        match paths.open_lock() {
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(false),
                Err(TryLockError::WouldBlock) => Ok(true),
                Err(TryLockError::Error(error)) => Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes over a lock that came from a launcher. `None` if it isn't held, or not on what the path
    /// leads to.
    pub(crate) fn adopt(file: File, paths: &Paths) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(paths.is_locked_by(&file)?.then(|| Self::on(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether the instance's directory is still the one that is locked. If it isn't, what is in it now
    /// is not ours.
    pub(crate) fn is_on(&self, paths: &Paths) -> bool {
        paths.is_locked_by(&self.file).unwrap_or(false)
    }

    /// The open file, to be handed over where locks can be. Whoever hands it over closes it afterwards and never unlocks
    /// it: both have the same lock.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        platform::release_lock(&self.file);
    }
}

/// What a launcher holds while it starts a daemon: the instance lock, and where that can't be handed over, a turn
/// besides, so that no other launcher starts one in the moment between its lock and the daemon's.
#[derive(Debug)]
pub(crate) struct LaunchLock {
    instance: Option<InstanceLock>,
    _turn: Option<Turn>,
}

impl LaunchLock {
    /// Takes it. `None` if somebody else has the lock, or the turn.
    pub(crate) fn try_take(paths: &Paths) -> io::Result<Option<Self>> {
        let turn = match paths.open_launch_lock()?.map(Turn::try_take).transpose()? {
            Some(None) => return Ok(None),
            Some(taken) => taken,
            None => None,
        };
        let instance = InstanceLock::try_take(paths)?;
        Ok(instance.map(|lock| Self {
            instance: Some(lock),
            _turn: turn,
        }))
    }

    /// The instance lock, unless it was let go of for the daemon.
    pub(crate) fn instance(&self) -> Option<&InstanceLock> {
        self.instance.as_ref()
    }

    /// The daemon is about to take the instance lock itself, where it is not handed over.
    pub(crate) fn release_turn(&mut self) {
        if !platform::CAN_PASS_LOCKS {
            self.instance = None;
        }
    }
}

/// A launcher's turn, where launchers take turns.
#[derive(Debug)]
struct Turn(File);

impl Turn {
    fn try_take(file: File) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        platform::release_lock(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_one_and_free_again_when_dropped() -> Result<(), Box<dyn std::error::Error>> {
        let runtime = tempfile::tempdir()?;
        let paths = Paths::in_directory(runtime.path().join("runtime/some"));
        paths.prepare()?;
        let first = InstanceLock::try_take(&paths)?.expect("free");
        assert!(InstanceLock::try_take(&paths)?.is_none());
        drop(first);
        assert!(InstanceLock::try_take(&paths)?.is_some());
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_on_a_directory_that_was_replaced_is_no_lock() -> Result<(), Box<dyn std::error::Error>>
    {
        let runtime = tempfile::tempdir()?;
        let paths = Paths::in_directory(runtime.path().join("runtime/some"));
        paths.prepare()?;
        let first = InstanceLock::try_take(&paths)?.expect("free");
        std::fs::rename(paths.directory(), runtime.path().join("runtime/moved"))?;
        paths.prepare()?;
        assert!(!first.is_on(&paths));
        assert!(InstanceLock::try_take(&paths)?.is_some());
        let file = first.file().try_clone()?;
        assert!(InstanceLock::adopt(file, &paths)?.is_none());
        Ok(())
    }
}
