//! [`StartedDaemon`]: a daemon that this process has started, and the events that it sends.

use std::time::Instant;

use super::children::ChildGuard;
use super::error::LaunchError;
use super::log::Log;
use crate::handoff::Event;
use crate::instance_lock::LauncherLocks;
use crate::platform::{Channel, Line};

/// The reason that is recorded for a daemon that ends after it has reported that it stops.
const STOPPED_ON_REQUEST: &str = "it was asked to stop";

/// A daemon that this process has started.
#[derive(Debug)]
pub(super) struct StartedDaemon {
    pub(super) child: ChildGuard,
    pub(super) pid: u32,
    pub(super) channel: Channel,
    pub(super) log: Log,
    /// Whether the launcher has bound the endpoint.
    pub(super) is_bound: bool,
    /// The launcher's copy of the lock, or its turn. Kept until the daemon has the lock, where closing it earlier
    /// would lose the lock.
    pub(super) lock: Option<LauncherLocks>,
    /// Why the daemon ends, as far as it has reported that.
    pub(super) reason: Option<String>,
}

/// What arrived on the channel.
#[derive(Debug)]
pub(super) enum Received {
    /// An event.
    Event(Event),
    /// A line that only a newer release understands.
    #[cfg_attr(
        not(feature = "operator"),
        expect(dead_code, reason = "only `observe` shows the line")
    )]
    Unknown(String),
    /// Nothing until the given time.
    TimedOut,
    /// The end of the channel: the daemon has ended, or is about to end.
    Closed,
}

impl StartedDaemon {
    /// Waits for the daemon's next event, until the given time.
    pub(super) fn receive(&mut self, until: Instant) -> Result<Received, LaunchError> {
        let line = self.channel.next_line(until).map_err(LaunchError::io(
            "receive events from the daemon that writes to",
            &self.log.path,
        ))?;
        let line = match line {
            Line::Text(line) => line,
            Line::TimedOut => return Ok(Received::TimedOut),
            Line::End => return Ok(Received::Closed),
        };
        let Some(event) = Event::from_line(&line) else {
            return Ok(Received::Unknown(line));
        };
        match &event {
            Event::Adopted => self.lock = None,
            Event::Stopping => self.reason = Some(STOPPED_ON_REQUEST.to_owned()),
            Event::Failed(reason) => self.reason = Some(reason.clone()),
            Event::Bound | Event::Status(_) | Event::Ready => {}
        }
        Ok(Received::Event(event))
    }
}
