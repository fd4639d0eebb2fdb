//! [`Daemon`]: the identity that a daemon and its clients share.

/// The most characters of a daemon's name.
const MAX_NAME_LENGTH: usize = 64;

/// The identity that a daemon and its clients share: a `const` of plain data.
///
/// It holds no code and no reference to code, so that code cannot run before the endpoint is bound because a daemon
/// is named.
///
/// ```
/// use brokered_runtime::Daemon;
///
/// pub const INDEXD: Daemon = Daemon::new("indexd").contract(2).per_directory();
/// ```
///
/// A name that is not valid is a compile error:
///
/// ```compile_fail
/// # use brokered_runtime::Daemon;
/// pub const INDEXD: Daemon = Daemon::new("Index Daemon");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Daemon {
    name: &'static str,
    contract: u32,
    per_directory: bool,
    binds_itself: bool,
    idle_exit_secs: u32,
}

impl Daemon {
    /// A daemon of this name, with contract number 1 and one instance for each user.
    ///
    /// The name has 1 to 64 characters of `a` to `z`, `0` to `9` and `-`. It neither begins nor ends with `-`. It
    /// becomes part of paths and of pipe names.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// const INDEXD: Daemon = Daemon::new("indexd");
    /// assert_eq!(INDEXD.name(), "indexd");
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the name is not valid. In a `const`, that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        check_name(name);
        Self {
            name,
            contract: 1,
            per_directory: false,
            binds_itself: false,
            idle_exit_secs: 0,
        }
    }

    /// Sets the contract number: the version of the protocol that the daemon and its clients speak.
    ///
    /// It is part of the instance directory, so that clients and daemons of different contract numbers never meet.
    /// Increase it with each change that an older client or daemon would misunderstand.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// const INDEXD: Daemon = Daemon::new("indexd").contract(2);
    /// assert_eq!(INDEXD.contract_number(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the number is 0. In a `const`, that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn contract(mut self, number: u32) -> Self {
        assert!(number != 0, "contract numbers begin with 1");
        self.contract = number;
        self
    }

    /// Has one instance for each directory, chosen with [`at`](Self::at), instead of one for each user.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// const INDEXD: Daemon = Daemon::new("indexd").per_directory();
    /// assert_ne!(INDEXD.at("/").endpoint()?, INDEXD.at(".").endpoint()?);
    /// # Ok::<(), brokered_runtime::InstanceError>(())
    /// ```
    #[must_use]
    pub const fn per_directory(mut self) -> Self {
        self.per_directory = true;
        self
    }

    /// Makes the daemon bind its endpoint itself, by a policy of its own. The launcher then hands off the instance
    /// lock alone.
    ///
    /// For a hand-written [`BrokeredBackend`](crate::BrokeredBackend). Clients cannot connect before the daemon has
    /// called its `bind`.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// const INDEXD: Daemon = Daemon::new("indexd").binds_itself();
    /// ```
    #[must_use]
    pub const fn binds_itself(mut self) -> Self {
        self.binds_itself = true;
        self
    }

    /// Makes the daemon end after this many seconds without open connections.
    ///
    /// A quiet connection is an open connection. A client that connects at the last moment is served, and the next
    /// client starts the daemon again.
    ///
    /// [`Bound::serve`](crate::Bound::serve) counts connections. A daemon that accepts with
    /// [`incoming`](crate::Bound::incoming) or [`into_listener`](crate::Bound::into_listener) counts them with
    /// [`Handle::connection`](crate::Handle::connection); until it does, it does not end.
    ///
    /// ```
    /// # use brokered_runtime::Daemon;
    /// const INDEXD: Daemon = Daemon::new("indexd").idle_exit_secs(600);
    /// assert_eq!(INDEXD.idle_exit(), Some(600));
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the number is 0. In a `const`, that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn idle_exit_secs(mut self, seconds: u32) -> Self {
        assert!(seconds != 0, "the idle exit is at least one second");
        self.idle_exit_secs = seconds;
        self
    }

    /// The seconds that were set with [`idle_exit_secs`](Self::idle_exit_secs).
    #[must_use]
    pub const fn idle_exit(self) -> Option<u32> {
        if self.idle_exit_secs == 0 {
            None
        } else {
            Some(self.idle_exit_secs)
        }
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The number that was set with [`contract`](Self::contract), or 1.
    #[must_use]
    pub const fn contract_number(self) -> u32 {
        self.contract
    }

    /// Whether the daemon has one instance for each directory.
    #[must_use]
    pub const fn is_per_directory(self) -> bool {
        self.per_directory
    }

    pub(crate) const fn is_binding_itself(self) -> bool {
        self.binds_itself
    }
}

/// Panics at a name that is not valid. In a `const`, the message is the compile error.
#[track_caller]
const fn check_name(name: &str) {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty(), "a daemon's name is not empty");
    assert!(
        bytes.len() <= MAX_NAME_LENGTH,
        "a daemon's name has at most 64 characters"
    );
    assert!(
        bytes[0] != b'-' && bytes[bytes.len() - 1] != b'-',
        "a daemon's name neither begins nor ends with '-'"
    );
    let mut index = 0;
    while index < bytes.len() {
        assert!(
            matches!(bytes[index], b'a'..=b'z' | b'0'..=b'9' | b'-'),
            "a daemon's name is made of a to z, 0 to 9 and '-'"
        );
        index += 1;
    }
}

/// Whether a text is a valid name of a daemon.
pub(crate) fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=MAX_NAME_LENGTH).contains(&bytes.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && bytes
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_checks_of_a_name_agree() {
        for name in [
            "",
            "-a",
            "a-",
            "A",
            "a b",
            "ä",
            "a.b",
            "a",
            "a-1",
            &"x".repeat(64),
            &"x".repeat(65),
        ] {
            let is_accepted = std::panic::catch_unwind(|| check_name(name)).is_ok();
            assert_eq!(is_accepted, is_name(name), "{name:?}");
        }
    }
}
