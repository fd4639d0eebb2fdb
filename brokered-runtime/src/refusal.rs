//! [`Refusal`]: who or what refuses a system call, and what a user can do about it.

use std::env;
use std::ffi::OsString;
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
    /// A program belongs to this user, and its mode does not let even its owner execute it.
    NotExecutable {
        /// The program.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A program or a directory on the way to it belongs to a foreign user, and its mode does not let this user execute
    /// the program.
    ForeignProgram {
        /// The program, or a directory on the way to it.
        path: PathBuf,
        /// The user who owns it.
        owner: u32,
        /// The effective user of this process.
        user: u32,
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

    /// The same for the start of a program.
    pub(crate) fn of_program(error: &io::Error, program: &Path) -> Option<Self> {
        Some(match Self::of(error, program, Access::Execute)? {
            Self::Mode { path, mode } if path == program => Self::NotExecutable { path, mode },
            Self::ForeignUser { path, owner, user } => Self::ForeignProgram { path, owner, user },
            // A directory and a script whose interpreter cannot be executed are refused like this, too.
            Self::Sandbox if platform::is_about_permissions(error) => return None,
            other => other,
        })
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
                "{} belongs to this user, but has mode {mode:04o}: run `chmod u+rwX {}`",
                path.display(),
                Argument(path)
            ),
            Self::Immutable { path } => write!(
                f,
                "{} cannot be changed, as `lsattr -d {}` shows: clear that attribute with `chattr`, or set \
                 BROKERED_RUNTIME_DIR to another directory",
                path.display(),
                Argument(path)
            ),
            Self::NotExecutable { path, mode } => write!(
                f,
                "{} belongs to this user, but has mode {mode:04o}: run `chmod u+x {}`",
                path.display(),
                Argument(path)
            ),
            Self::ForeignProgram { path, owner, user } => write!(
                f,
                "{} belongs to user {owner}, but this process runs as user {user}: ask its owner for the permission \
                 to execute the program, or name another one with `Instance::program`{}",
                path.display(),
                note_on_users(&[*owner, *user])
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

/// The environment variable that leads to a directory. Only the first one that is set is looked at.
///
/// A variable of another user often remains in a shell that `su` or `sudo` has started.
pub(crate) fn variable_of(directory: &Path) -> Option<&'static str> {
    variable_among(directory, |variable| env::var_os(variable))
}

fn variable_among(
    directory: &Path,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Option<&'static str> {
    let (name, value) = ["BROKERED_RUNTIME_DIR", "XDG_RUNTIME_DIR", "HOME"]
        .into_iter()
        .find_map(|name| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some((name, PathBuf::from(value)))
        })?;
    // Each path begins with the root directory.
    let leads_there =
        value.parent().is_some() && (directory.starts_with(&value) || value.starts_with(directory));
    leads_there.then_some(name)
}

/// A path as one argument of a command for a shell. It is quoted only if a shell would interpret it.
pub(crate) struct Argument<'a>(pub(crate) &'a Path);

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.display().to_string();
        let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
        if !path.is_empty() && path.chars().all(is_plain) {
            f.write_str(&path)
        } else {
            write!(f, "'{}'", path.replace('\'', "'\\''"))
        }
    }
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
    is_for_entry: bool,
}

impl<'a> Advice<'a> {
    pub(crate) fn new(error: &'a io::Error, refusal: Option<&'a Refusal>) -> Self {
        Self {
            error,
            refusal,
            otherwise: "",
            is_for_entry: false,
        }
    }

    /// The call was to create, replace or remove an entry of a directory.
    pub(crate) fn for_entry(mut self) -> Self {
        self.is_for_entry = true;
        self
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
            let elsewhere = match refusal {
                Refusal::Sandbox if self.is_for_entry => platform::entry_hint(self.error),
                _ => None,
            };
            return write!(f, "; {refusal}{}", elsewhere.unwrap_or_default());
        }
        match platform::error_hint(self.error).unwrap_or(self.otherwise) {
            "" => Ok(()),
            hint => write!(f, "; {hint}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_variable_that_was_chosen_is_named() {
        let directory = Path::new("/home/ann/.cache/brokered/run");
        for (set, expected) in [
            (&[("HOME", "/home/ann")][..], Some("HOME")),
            (
                &[("XDG_RUNTIME_DIR", ""), ("HOME", "/home/ann")],
                Some("HOME"),
            ),
            (
                &[("XDG_RUNTIME_DIR", "/run/user/1"), ("HOME", "/home/ann")],
                None,
            ),
            (
                &[("XDG_RUNTIME_DIR", "/home/ann"), ("HOME", "/home/ann")],
                Some("XDG_RUNTIME_DIR"),
            ),
            (
                &[
                    ("BROKERED_RUNTIME_DIR", "/var/b"),
                    ("XDG_RUNTIME_DIR", "/home/ann"),
                ],
                None,
            ),
            (&[("HOME", "/")], None),
            (&[], None),
        ] {
            let value = |name: &str| {
                let (_, value) = set.iter().find(|(set, _)| *set == name)?;
                Some(OsString::from(value))
            };
            assert_eq!(variable_among(directory, value), expected, "{set:?}");
        }
    }

    #[test]
    fn only_a_path_that_a_shell_would_interpret_is_quoted() {
        for (path, expected) in [
            ("/run/user/1000/brokered", "/run/user/1000/brokered"),
            ("/home/änne/a-b_c.d+e", "/home/änne/a-b_c.d+e"),
            ("/a b", "'/a b'"),
            ("/$HOME", "'/$HOME'"),
            ("/it's", "'/it'\\''s'"),
            ("/a;b", "'/a;b'"),
        ] {
            assert_eq!(Argument(Path::new(path)).to_string(), expected);
        }
    }
}
