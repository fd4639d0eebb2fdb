//! [`ThreadRole`]: what a thread does, for the reason of a panic that ends the process.

use std::cell::Cell;

/// What a thread does at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) enum ThreadRole {
    /// Something of which the framework knows nothing.
    Other,
    /// It runs `main`.
    Main,
    /// It loads a state, whose name the function makes.
    Load(fn() -> String),
    /// It runs a handler of `serve`.
    Handler,
    /// It is the supervisor thread.
    Supervisor,
}

thread_local! {
    static CURRENT: Cell<ThreadRole> = const { Cell::new(ThreadRole::Other) };
}

impl ThreadRole {
    /// Gives the calling thread this role until the guard is dropped.
    pub(super) fn enter(self) -> RoleGuard {
        RoleGuard(CURRENT.replace(self))
    }

    /// The role of the calling thread.
    pub(super) fn current() -> Self {
        CURRENT.try_with(Cell::get).unwrap_or(Self::Other)
    }
}

/// Gives the thread the role back that it had before.
#[must_use = "the role ends when this guard is dropped"]
pub(super) struct RoleGuard(ThreadRole);

impl Drop for RoleGuard {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
