//! The instance lock: the kernel lock that makes a daemon the only one of its instance.
//!
//! The kernel releases the lock when the last process that holds it ends, for whatever reason. So no file has to be
//! cleaned up after a crash, and no PID is used to decide whether a daemon is alive.

use std::fs::{File, TryLockError};
use std::io;

use crate::identity::paths::Paths;
use crate::platform::{self, ForkGuard};

/// The instance lock. It is held while this value lives, or while a process lives that received a copy of the file.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    /// Dropped before the file is closed: after that, the descriptor's number can be another file's.
    _fork_guard: ForkGuard,
    file: File,
}

impl InstanceLock {
    fn on(file: File) -> Self {
        Self {
            _fork_guard: ForkGuard::new(&file),
            file,
        }
    }

    /// Takes the lock. `None` if another process holds it.
    pub(crate) fn try_take(paths: &Paths) -> io::Result<Option<Self>> {
        Self::try_take_or(paths, |error| error)
    }

    /// The same, with an explanation of an error of the lock itself.
    fn try_take_or(
        paths: &Paths,
        explain: impl Fn(io::Error) -> io::Error,
    ) -> io::Result<Option<Self>> {
        loop {
            let file = paths.open_lock()?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(explain(error)),
            }
            // Between the open and the lock, the directory may have been replaced. Another process would then lock
            // the new one.
            if paths.is_locked_by(&file)? {
                return Ok(Some(Self::on(file)));
            }
        }
    }

    /// Whether a process holds the lock. Without a directory, none does.
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

    /// Adopts a lock that a launcher has passed. `None` if another process holds it, or if the file is not the one at
    /// the path.
    pub(crate) fn adopt(file: File, paths: &Paths) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(paths.is_locked_by(&file)?.then(|| Self::on(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether the directory at the path is still the one that is locked. If not, its files belong to another daemon.
    pub(crate) fn is_on(&self, paths: &Paths) -> bool {
        paths.is_locked_by(&self.file).unwrap_or(false)
    }

    /// The locked file, to be passed to the daemon where the platform can pass locks. The launcher only closes its copy
    /// and never unlocks it: both copies share one lock.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// Network file systems, such as NFS, do not lock directories.
fn advise_local_file_system(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return error;
    }
    let advice = "set BROKERED_RUNTIME_DIR to a directory on a local file system, for the daemon and for its clients";
    io::Error::new(error.kind(), format!("{error}; {advice}"))
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        platform::release_lock(&self.file);
    }
}

/// The locks that a launcher holds while it starts a daemon.
///
/// That is the instance lock. Where a lock can't be passed to another process, it is the launch lock, too: it keeps other
/// launchers away between the moment when the launcher releases the instance lock and the moment when the daemon takes
/// it.
#[derive(Debug)]
pub(crate) struct LauncherLocks {
    instance: Option<InstanceLock>,
    _launch: Option<LaunchLock>,
}

impl LauncherLocks {
    /// Takes them. `None` if another process holds one of them.
    pub(crate) fn try_take(paths: &Paths) -> io::Result<Option<Self>> {
        let launch = match paths
            .open_launch_lock()?
            .map(LaunchLock::try_take)
            .transpose()?
        {
            Some(None) => return Ok(None),
            Some(taken) => taken,
            None => None,
        };
        let instance = InstanceLock::try_take_or(paths, advise_local_file_system)?;
        Ok(instance.map(|lock| Self {
            instance: Some(lock),
            _launch: launch,
        }))
    }

    /// The instance lock, unless it was released for the daemon.
    pub(crate) fn instance(&self) -> Option<&InstanceLock> {
        self.instance.as_ref()
    }

    /// Releases the instance lock where it can't be passed: the daemon is about to take it itself.
    pub(crate) fn release_if_not_passed(&mut self) {
        if !platform::CAN_PASS_LOCKS {
            self.instance = None;
        }
    }
}

/// The launch lock: the lock on `spawn.lock`, by which launchers take turns. Windows only.
#[derive(Debug)]
struct LaunchLock(File);

impl LaunchLock {
    fn try_take(file: File) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for LaunchLock {
    fn drop(&mut self) {
        platform::release_lock(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_free_after_drop() -> Result<(), Box<dyn std::error::Error>> {
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
    fn a_lock_on_a_replaced_directory_does_not_count() -> Result<(), Box<dyn std::error::Error>> {
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
