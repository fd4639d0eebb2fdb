//! Spans and events for the feature `tracing`. Without the feature, the functions do nothing.

#[cfg(feature = "tracing")]
pub(super) use on::{connection, drain, load, passed, serving};

#[cfg(not(feature = "tracing"))]
pub(super) use off::{connection, drain, load, passed, serving};

#[cfg(feature = "tracing")]
mod on {
    use tracing::span::EnteredSpan;
    use tracing::{debug_span, info, info_span};

    const TARGET: &str = "brokered";

    /// The event of a milestone.
    pub(in crate::daemon) fn passed(milestone: &str) {
        info!(target: TARGET, "{milestone}");
    }

    /// The span of a state's load.
    pub(in crate::daemon) fn load(state: &str) -> EnteredSpan {
        info_span!(target: TARGET, "load", state).entered()
    }

    /// The span of `serve`.
    pub(in crate::daemon) fn serving() -> EnteredSpan {
        info_span!(target: TARGET, "serve").entered()
    }

    /// The span of one connection.
    pub(in crate::daemon) fn connection() -> EnteredSpan {
        debug_span!(target: TARGET, "connection").entered()
    }

    /// The span of the drain.
    pub(in crate::daemon) fn drain() -> EnteredSpan {
        info_span!(target: TARGET, "drain").entered()
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    /// Stands for a span.
    pub(in crate::daemon) struct Off;

    pub(in crate::daemon) fn passed(_milestone: &str) {}

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
