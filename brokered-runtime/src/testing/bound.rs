//! [`bound`]: a `Bound` for a unit test.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::Error;
use super::scratch::Scratch;
use crate::daemon::unsupervised;
use crate::identity::paths::Paths;
use crate::{Bound, Daemon, Instance, platform};

/// A real [`Bound`], in a fresh directory of its own, with its lock, its endpoint and its record: for unit tests of a
/// [`State`](crate::State), and of what serves clients.
///
/// Takes a [`Daemon`], or an [`Instance`] of it: `DAEMON.at(directory)` for a state that reads files there. A daemon
/// that is [`per_directory`](Daemon::per_directory) and was given none is for an empty directory, which is removed
/// with the rest.
///
/// ```
/// use std::io;
/// use brokered_runtime::{Bound, Daemon, State, testing};
///
/// const INDEXD: Daemon = Daemon::new("indexd").per_directory();
///
/// struct Index(usize);
///
/// impl State for Index {
///     type Error = io::Error;
///
///     fn load(bound: &Bound) -> io::Result<Self> {
///         let directory = bound.instance().directory();
///         Ok(Self(std::fs::read_dir(directory)?.count()))
///     }
/// }
///
/// # // In a test: #[test]
/// fn an_empty_directory_has_an_empty_index() -> Result<(), Box<dyn std::error::Error>> {
///     let bound = testing::bound(INDEXD)?;
///     assert_eq!(Index::load(&bound)?.0, 0);
///     Ok(())
/// }
/// # an_empty_directory_has_an_empty_index().unwrap();
/// ```
///
/// Clients reach it by [`bound.instance().connect()`](Instance::connect), and [`Handle::stop`](crate::Handle::stop)
/// ends its [`serve`](Bound::serve). Signals are not looked at, a drain has no time limit, and nothing ends the process.
///
/// All is released when the last of it is dropped: the `Bound`, its handles and connections. A listener alone does not
/// count: keep a [`handle`](Bound::handle) beside [`into_listener`](Bound::into_listener).
///
/// # Errors
///
/// If the directory, the lock, the endpoint or the record cannot be made, or the instance does not fit its daemon.
pub fn bound(instance: impl Into<Instance>) -> Result<Bound, Error> {
    let instance: Instance = instance.into();
    let scratch = Arc::new(Scratch::new()?);
    let daemon = instance.daemon().name();
    let doing = || format!("bind {daemon} for a test");
    let instance = settled(&instance, &scratch).map_err(|error| Error::new(doing(), error))?;
    unsupervised::bind(instance, scratch).map_err(|error| Error::new(doing(), error))
}

/// The instance, with its files in the scratch.
fn settled(
    instance: &Instance,
    scratch: &Scratch,
) -> Result<Instance, Box<dyn std::error::Error + Send + Sync>> {
    let paths = Paths::handoff(scratch.runtime().join("instance"));
    let own = || -> std::io::Result<PathBuf> {
        let directory = scratch.path().join("directory");
        std::fs::create_dir(&directory)?;
        platform::canonicalize(&directory)
    };
    Ok(instance.with_paths(paths, own)?)
}

impl From<Daemon> for Instance {
    /// The default instance, as [`Daemon::instance`] gives it.
    fn from(daemon: Daemon) -> Self {
        daemon.instance()
    }
}
