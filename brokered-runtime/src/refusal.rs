//! [`Refusal`]: who or what refuses a system call, and what a user can do about it.

use std::env;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::{self, Access, AccessFault};

/// Why the system refuses an access to an endpoint, a lock or a file.
///
/// `Display` says what to do: another user, a mode and a sandbox need different advice.
///
/// ```
/// use brokered_runtime::{Daemon, LaunchError, Refusal};
///
/// const INDEXD: Daemon = Daemon::new("indexd");
///
/// match INDEXD.connect() {
///     Err(LaunchError::NoPermission { refusal: Refusal::Sandbox, .. }) => println!("this is a sandbox: no daemon"),
///     Err(error) => println!("{error}"),
///     Ok(_stream) => println!("connected"),
/// }
/// ```
///
/// # Platform differences
///
/// Windows does not tell why it refuses an access: it is always [`Unknown`](Self::Unknown).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A directory or file belongs to a foreign user, and its mode keeps this user out.
    ForeignUser {
        /// The directory or file. It is a part of the way to the path of the access, or that path.
        path: PathBuf,
        /// The user who owns it.
        owner: u32,
        /// The effective user of this process.
        user: u32,
    },
    /// A directory or file belongs to this user, and its mode keeps even its owner out.
    Mode {
        /// The directory or file. It is a part of the way to the path of the access, or that path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory is immutable, by an attribute of its file system.
    Immutable {
        /// The directory.
        path: PathBuf,
    },
    /// The file system of a program is mounted with the option `noexec`. Linux only.
    NoExec,
    /// Nothing of the above refuses the access, so a sandbox or a security policy does.
    Sandbox,
    /// The platform does not tell.
    Unknown,
}

impl Refusal {
    /// Why an error is what it is. `None` if it says more than that an access was refused.
    pub(crate) fn of(error: &io::Error, path: &Path, access: Access) -> Option<Self> {
        (error.kind() == io::ErrorKind::PermissionDenied)
            .then(|| platform::access_fault(error, path, access).into())
    }
}

impl From<AccessFault> for Refusal {
    fn from(fault: AccessFault) -> Self {
        match fault {
            AccessFault::Owner { path, owner, user } => Self::ForeignUser { path, owner, user },
            AccessFault::Mode { path, mode } => Self::Mode { path, mode },
            AccessFault::Immutable { path } => Self::Immutable { path },
            AccessFault::NoExec => Self::NoExec,
            AccessFault::Policy => Self::Sandbox,
            AccessFault::Unknown => Self::Unknown,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignUser { path, owner, user } => {
                let variable = variable_of(path);
                write!(
                    f,
                    "{} belongs to user {owner}, but this process runs as user {user}{}: run it as the user who owns \
                     the directory, or set {} to a directory of your own{}",
                    path.display(),
                    LeadsThere(variable),
                    variable
                        .filter(|variable| *variable != "HOME")
                        .unwrap_or("BROKERED_RUNTIME_DIR"),
                    note_on_users(&[*owner, *user])
                )
            }
            Self::Mode { path, mode } => write!(
                f,
                "{} belongs to this user, but has mode {mode:04o}: run `chmod u+rwX {0}`",
                path.display()
            ),
            Self::Immutable { path } => write!(
                f,
                "{} cannot be changed, as `lsattr -d {0}` shows: clear that attribute with `chattr`, or set \
                 BROKERED_RUNTIME_DIR to another directory",
                path.display()
            ),
            Self::NoExec => f.write_str(
                "its file system is mounted `noexec`: install it elsewhere, and set its path with \
                 `Instance::program`",
            ),
            Self::Sandbox => write!(
                f,
                "no owner and no mode refuses this, but a sandbox or a security policy does, such as {}: \
                 allow `AF_UNIX` sockets and the runtime directory there, or set BROKERED_DISABLE=1, so that \
                 clients do without daemons",
                platform::SANDBOX_HINT
            ),
            Self::Unknown => f.write_str(
                "run it as the user who owns the daemon, or outside of the sandbox that this process runs in",
            ),
        }
    }
}

/// The environment variable that leads to a directory, in the order in which they are looked at.
///
/// A variable of another user often remains in a shell that `su` or `sudo` has started.
pub(crate) fn variable_of(directory: &Path) -> Option<&'static str> {
    let leads_there = |variable: &&str| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .is_some_and(|value| {
                directory.starts_with(&value) || Path::new(&value).starts_with(directory)
            })
    };
    ["BROKERED_RUNTIME_DIR", "XDG_RUNTIME_DIR", "HOME"]
        .into_iter()
        .find(leads_there)
}

/// A part of a sentence: which environment variable leads to a directory.
pub(crate) struct LeadsThere(pub(crate) Option<&'static str>);

impl fmt::Display for LeadsThere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(variable) => write!(f, " ({variable} leads there)"),
            None => Ok(()),
        }
    }
}

/// What to add to a message that names these users. In a Linux user namespace, one number stands for all users who have
/// none there.
pub(crate) fn note_on_users(users: &[u32]) -> &'static str {
    if cfg!(any(target_os = "linux", target_os = "android")) && users.contains(&65534) {
        "; in a user namespace, 65534 is every user without a number there"
    } else {
        ""
    }
}

/// What a user can do about a failed system call, as it follows the error. Empty if nothing is known.
#[derive(Debug)]
pub(crate) struct Advice<'a> {
    error: &'a io::Error,
    refusal: Option<&'a Refusal>,
    otherwise: &'static str,
}

impl<'a> Advice<'a> {
    pub(crate) fn new(error: &'a io::Error, refusal: Option<&'a Refusal>) -> Self {
        Self {
            error,
            refusal,
            otherwise: "",
        }
    }

    /// The advice for errors of which nothing is known.
    pub(crate) fn or(mut self, otherwise: &'static str) -> Self {
        self.otherwise = otherwise;
        self
    }
}

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(refusal) = self.refusal {
            return write!(f, "; {refusal}");
        }
        match platform::error_hint(self.error).unwrap_or(self.otherwise) {
            "" => Ok(()),
            hint => write!(f, "; {hint}"),
        }
    }
}
