//! [`bound`]: a real `Bound` for a unit test.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::Error;
use super::scratch::Scratch;
use crate::daemon::unsupervised;
use crate::identity::paths::Paths;
use crate::{Bound, Instance, platform};

/// Returns a real [`Bound`], for a unit test.
///
/// The test is one of a [`State`](crate::State), or of the code that serves clients. The `Bound` has a lock, an endpoint
/// and a record in a new directory.
///
/// The argument is a [`Daemon`](crate::Daemon), or an [`Instance`]: `DAEMON.at(directory)` for a state that reads files
/// there. A daemon that is [`per_directory`](crate::Daemon::per_directory) and gets no directory has an empty one, which
/// is removed at the end.
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
/// Clients connect with [`bound.instance().connect()`](Instance::connect). [`Handle::stop`](crate::Handle::stop) ends
/// [`serve`](Bound::serve). Signals are not handled, a drain has no time limit, and nothing ends the process.
///
/// Everything is released when the last of the `Bound`, its handles and its connections is dropped. A listener alone
/// keeps nothing: keep a [`handle`](Bound::handle) beside [`into_listener`](Bound::into_listener).
///
/// # Errors
///
/// If the directory, the lock, the endpoint or the record cannot be created, or if the instance does not fit its daemon.
pub fn bound(instance: impl Into<Instance>) -> Result<Bound, Error> {
    let instance: Instance = instance.into();
    let scratch = Arc::new(Scratch::new()?);
    let daemon = instance.daemon().name();
    let operation = || format!("bind {daemon} for a test");
    let instance =
        move_into(&scratch, &instance).map_err(|error| Error::new(operation(), error))?;
    unsupervised::bind(instance, scratch).map_err(|error| Error::new(operation(), error))
}

/// The same instance with its files in the scratch directory.
fn move_into(
    scratch: &Scratch,
    instance: &Instance,
) -> Result<Instance, Box<dyn std::error::Error + Send + Sync>> {
    let paths = Paths::in_directory(scratch.runtime().join("instance"));
    let create_directory = || -> std::io::Result<PathBuf> {
        let directory = scratch.path().join("directory");
        std::fs::create_dir(&directory)?;
        platform::canonicalize(&directory)
    };
    Ok(instance.with_paths(paths, create_directory)?)
}
