//! [`Daemon`]: the identity that a daemon and its clients share.

use std::path::{Path, PathBuf};

use crate::{Instance, InstanceError};

/// The identity that a daemon and its clients share: a `const`, plain data.
///
/// It holds no code and no reference to anything that could run some, so that naming a daemon can never
/// be a way to do something before its endpoint is bound.
///
/// ```
/// use brokered_runtime::Daemon;
///
/// pub const INDEXD: Daemon = Daemon::new("indexd").contract(2).per_directory();
/// ```
///
/// A name that does not fit is a compile error:
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
    /// A daemon of this name, one for each user, with contract 1.
    ///
    /// The name is one to 64 of `a` to `z`, `0` to `9` and `-`, and neither begins nor ends with `-`: it
    /// becomes part of paths and of pipe names.
    ///
    /// # Panics
    ///
    /// If the name is not such a one. In a `const` that is a compile error.
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

    /// The number of the wire protocol that daemon and clients speak.
    ///
    /// It is part of where the daemon's files are, so that clients and daemons of different numbers never
    /// meet. Raise it with each change that an older side would misunderstand.
    ///
    /// # Panics
    ///
    /// If it is 0. In a `const` that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn contract(mut self, number: u32) -> Self {
        assert!(number != 0, "contracts are numbered from 1");
        self.contract = number;
        self
    }

    /// One daemon for each directory that is named with [`at`](Self::at), instead of one for each user.
    #[must_use]
    pub const fn per_directory(mut self) -> Self {
        self.per_directory = true;
        self
    }

    /// A daemon that binds its endpoint itself, with a policy of its own: a launcher then hands over
    /// the instance lock alone.
    ///
    /// For hand-written [`BrokeredBackend`](crate::BrokeredBackend)s. Clients can connect only once the
    /// daemon has come to its `bind`.
    #[must_use]
    pub const fn binds_itself(mut self) -> Self {
        self.binds_itself = true;
        self
    }

    /// The daemon ends by itself when it has served nobody for so many seconds.
    ///
    /// A connection that is open counts as being served, whether or not anything is said on it. Whoever connects
    /// just then is served; the next client starts the daemon again.
    /// [`Bound::serve`](crate::Bound::serve) counts connections by itself. Where the daemon accepts for itself,
    /// with [`incoming`](crate::Bound::incoming) or [`into_listener`](crate::Bound::into_listener), it stays
    /// until it counts them with [`Handle::connection`](crate::Handle::connection).
    ///
    /// # Panics
    ///
    /// If it is 0. In a `const` that is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn idle_exit_secs(mut self, seconds: u32) -> Self {
        assert!(
            seconds != 0,
            "a daemon that ends after no time serves nobody"
        );
        self.idle_exit_secs = seconds;
        self
    }

    /// The seconds that were given to [`idle_exit_secs`](Self::idle_exit_secs).
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

    /// The number that was given to [`contract`](Self::contract), or 1.
    #[must_use]
    pub const fn contract_number(self) -> u32 {
        self.contract
    }

    /// Whether there is one for each directory.
    #[must_use]
    pub const fn is_per_directory(self) -> bool {
        self.per_directory
    }

    pub(crate) const fn is_binding_itself(self) -> bool {
        self.binds_itself
    }

    /// The default instance. A [`per_directory`](Self::per_directory) daemon has none: its instances come
    /// from [`at`](Self::at), and using this one is an error that says so.
    #[must_use]
    pub fn instance(self) -> Instance {
        Instance::new(self, None, None)
    }

    /// The instance for a directory.
    ///
    /// Any path that leads to the directory means the same instance. Nothing is looked up yet; a
    /// directory that is not there is an error of the verb that is used on the instance.
    #[must_use]
    pub fn at(self, directory: impl AsRef<Path>) -> Instance {
        Instance::new(self, Some(directory.as_ref().to_owned()), None)
    }

    /// The instance of this name: any text, for daemons that are not one for each directory. No text is the
    /// default instance.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Instance {
        Instance::new(
            self,
            None,
            Some(name.into()).filter(|name| !name.is_empty()),
        )
    }

    /// Where the default instance listens. See [`Instance::endpoint`].
    ///
    /// # Errors
    ///
    /// If that cannot be said; see [`InstanceError`].
    pub fn endpoint(self) -> Result<PathBuf, InstanceError> {
        self.instance().endpoint()
    }
}

/// Stops const evaluation, with the reason, at a name that does not fit.
#[track_caller]
const fn check_name(name: &str) {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty(), "a daemon's name is not empty");
    assert!(
        bytes.len() <= 64,
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

/// Whether a text would do as a daemon's name.
pub(crate) fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len())
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
            let accepted = std::panic::catch_unwind(|| check_name(name)).is_ok();
            assert_eq!(accepted, is_name(name), "{name:?}");
        }
    }
}
