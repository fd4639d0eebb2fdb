//! The fork guard: Windows has no fork, so it does nothing.

/// Guards nothing.
#[derive(Debug)]
pub(crate) struct ForkGuard;

impl ForkGuard {
    pub(crate) fn new<T>(_handle: &T) -> Self {
        Self
    }

    pub(crate) fn of_listener<T>(_listener: &T) -> Self {
        Self
    }
}
