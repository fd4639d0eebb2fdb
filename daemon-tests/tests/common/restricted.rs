//! Commands under seccomp filters, resource limits and Landlock, by way of `restricted.py`.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::process::Command;

use crate::common::{has_requirements, stderr};

/// Whether commands can be restricted. That needs a Python with its usual modules; a minimal one lacks `ctypes`.
#[track_caller]
pub(crate) fn can_restrict() -> bool {
    if !has_requirements(&["python3"]) {
        return false;
    }
    let imports = Command::new("python3")
        .args(["-c", "import ctypes, resource"])
        .output();
    let imports = imports.expect("python3");
    if !imports.status.success() {
        assert!(
            std::env::var_os("CI").is_none(),
            "needs python3 with ctypes"
        );
        eprintln!("skipped: needs python3 with ctypes: {}", stderr(&imports));
    }
    imports.status.success()
}

/// The same command under restrictions. `restricted.py` lists them.
pub(crate) fn restricted(restrictions: &[&str], command: &Command) -> Command {
    let mut python = Command::new("python3");
    python
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/restricted.py"))
        .args(restrictions)
        .arg("--");
    wrap(python, command)
}

/// The same command run as another user than root and `nobody`, whom no other process has, so that limits for a user
/// count this command alone.
pub(crate) fn as_user_of_its_own(user: u32, command: &Command) -> Command {
    let mut setpriv = Command::new("setpriv");
    setpriv
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={user}"))
        .args(["--clear-groups", "--"]);
    wrap(setpriv, command)
}

/// The number of a user whom no other process has.
pub(crate) fn unused_user() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);
    1_000_000 + std::process::id() % 10_000_000 * 10 + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A command that runs another one, in its environment.
pub(crate) fn wrap(mut wrapper: Command, command: &Command) -> Command {
    wrapper.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapper.env(name, value),
            None => wrapper.env_remove(name),
        };
    }
    wrapper
}

/// Whether the system permits a restriction. Prints so if it does not.
pub(crate) fn is_permitted(restriction: &str) -> bool {
    let output = restricted(&[restriction], &Command::new("true")).output();
    let output = output.expect("python3");
    if !output.status.success() {
        eprintln!("skipped: no {restriction}: {}", stderr(&output));
    }
    output.status.success()
}
