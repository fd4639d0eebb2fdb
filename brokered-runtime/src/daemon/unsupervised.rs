//! The daemon of a unit test, which shares its process with other tests. It is bound and recorded like any other, but
//! it installs no signal handlers, starts no supervisor thread, and does not end the process.

use std::any::Any;
use std::sync::Arc;

use super::acquire::{self, Acquired};
use super::bound::{Bound, new_bound};
use super::error::StartError;
use super::lifecycle::Lifecycle;
use crate::record::Record;
use crate::{Instance, platform};

/// Steps 2 to 4. The test's directory is dropped after everything that is created in it.
pub(crate) fn bind(
    instance: Instance,
    test_directory: Arc<dyn Any + Send + Sync>,
) -> Result<Bound, StartError> {
    let paths = instance.paths()?.clone();
    let lock = acquire::take_lock(&paths)?;
    let listener = acquire::bind(None, &paths, &lock)?;
    let record = Record::of_this_process(&instance, paths.socket.clone());
    let mut acquired = Acquired::new(instance, paths, lock, record);
    acquired.test_directory = Some(test_directory);
    let listener = platform::start_accept_queue(listener, &acquired.record.endpoint)
        .map_err(|source| StartError::Thread { source })?;
    let lifecycle = Arc::new(Lifecycle::new(acquired, &listener)?);
    lifecycle.write_record()?;
    Ok(new_bound(listener, lifecycle))
}
