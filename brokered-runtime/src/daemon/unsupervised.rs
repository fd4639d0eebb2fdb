//! The daemon of a unit test: bound and recorded as any other, in a process that is not its own. So nothing is
//! installed for signals, no thread is started, and the process does not end with it.

use std::sync::Arc;

use super::acquire::{self, Acquired};
use super::bound::{Bound, prove};
use super::error::StartError;
use super::lifecycle::Lifecycle;
use crate::record::Record;
use crate::testing::Scratch;
use crate::{Instance, platform};

/// Steps 2 to 4. The scratch goes with the last of what is made here.
pub(crate) fn bind(instance: Instance, scratch: Arc<Scratch>) -> Result<Bound, StartError> {
    let paths = instance.paths()?.clone();
    let lock = acquire::take_lock(&paths)?;
    let listener = acquire::bind(None, &paths, &lock)?;
    let record = Record::of_this_process(&instance, paths.socket.clone());
    let mut acquired = Acquired::new(instance, paths, lock, record);
    acquired.scratch = Some(scratch);
    let listener = platform::start_accept_queue(listener, &acquired.record.endpoint)
        .map_err(|source| StartError::Signals { source })?;
    let lifecycle = Arc::new(Lifecycle::new(acquired, &listener)?);
    lifecycle.record()?;
    Ok(prove(listener, lifecycle))
}
