//! Spans for a daemon's phases and connections, with the feature `tracing`. Without it there is nothing here.

#[cfg(feature = "tracing")]
pub(super) use on::{connection, drain, load, passed, serving};

#[cfg(not(feature = "tracing"))]
pub(super) use off::{connection, drain, load, passed, serving};

#[cfg(feature = "tracing")]
mod on {
    use tracing::span::EnteredSpan;
    use tracing::{debug_span, info, info_span};

    const TARGET: &str = "brokered";

    /// The daemon has come to a phase, or past something.
    pub(in crate::daemon) fn passed(what: &str) {
        info!(target: TARGET, "{what}");
    }

    /// A state loads.
    pub(in crate::daemon) fn load(state: &str) -> EnteredSpan {
        info_span!(target: TARGET, "load", state).entered()
    }

    /// The daemon serves.
    pub(in crate::daemon) fn serving() -> EnteredSpan {
        info_span!(target: TARGET, "serve").entered()
    }

    /// One connection is served.
    pub(in crate::daemon) fn connection() -> EnteredSpan {
        debug_span!(target: TARGET, "connection").entered()
    }

    /// The daemon ends.
    pub(in crate::daemon) fn drain() -> EnteredSpan {
        info_span!(target: TARGET, "drain").entered()
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    /// No span.
    pub(in crate::daemon) struct Off;

    pub(in crate::daemon) fn passed(_what: &str) {}

    pub(in crate::daemon) fn load(_state: &str) -> Off {
        Off
    }

    pub(in crate::daemon) fn serving() -> Off {
        Off
    }

    pub(in crate::daemon) fn connection() -> Off {
        Off
    }

    pub(in crate::daemon) fn drain() -> Off {
        Off
    }
}
