//! The daemon of a unit test: bound and recorded as any other, in a process that is not its own. So nothing is
//! installed for signals, no thread is started, and the process does not end with it.

use std::sync::Arc;

use super::bound::{Bound, prove};
use super::error::StartError;
use super::hold::{self, Held};
use super::lifecycle::Lifecycle;
use crate::record::Record;
use crate::testing::Scratch;
use crate::{Instance, platform};

/// Steps 2 to 4. The scratch goes with the last of what is made here.
pub(crate) fn bind(instance: Instance, scratch: Arc<Scratch>) -> Result<Bound, StartError> {
    let paths = instance.paths()?.clone();
    let lock = hold::take_lock(&paths)?;
    let listener = hold::bind(None, &paths, &lock)?;
    let record = Record::of_this_process(&instance, paths.socket.clone());
    let mut held = Held::new(instance, paths, lock, record);
    held.scratch = Some(scratch);
    let listener = platform::queue_clients(listener, &held.record.endpoint)
        .map_err(|source| StartError::Signals { source })?;
    let lifecycle = Arc::new(Lifecycle::new(held, &listener)?);
    lifecycle.record()?;
    Ok(prove(listener, lifecycle))
}
