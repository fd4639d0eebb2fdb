//! Checks what a service manager does to a daemon, its own or the one in whose unit a client started it.
//!
//! systemd keeps the processes of a unit in a control group, and ends all of them when the unit stops, unless
//! `KillMode=` says otherwise: <https://www.freedesktop.org/software/systemd/man/latest/systemd.kill.html>.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use brokered_runtime::Status;

use super::finding::{Findings, Level};
use crate::inspect::Inspection;

/// How often to look whether a command has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The unit that a daemon runs in.
#[derive(Debug, PartialEq, Eq)]
struct Unit {
    name: String,
    /// Whether it is a unit of the user's own systemd.
    is_users: bool,
}

/// Checks the unit that the daemon runs in, if it runs in one. Asks systemd, and waits for it no longer than `timeout`.
pub(super) fn check_unit(
    inspection: &Inspection,
    status: &Status,
    timeout: Duration,
    findings: &mut Findings,
) {
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", status.pid)).unwrap_or_default();
    let Some(unit) = unit_in(&groups) else {
        return;
    };
    let kill_mode = unit.property("KillMode", timeout);
    let is_own = status.owner == "systemd"
        || unit.property("MainPID", timeout) == Some(status.pid.to_string());
    let path = inspection.instance.path().display().to_string();
    if is_own {
        check_own_unit(&path, &unit, kill_mode.as_deref(), findings);
    } else if status.owner == "launcher" {
        check_unit_of_client(inspection, &unit, kill_mode.as_deref(), findings);
    }
}

/// The daemon is what the unit starts.
fn check_own_unit(path: &str, unit: &Unit, kill_mode: Option<&str>, findings: &mut Findings) {
    let name = &unit.name;
    match kill_mode {
        Some("control-group") => findings.add(
            Level::Warning,
            path,
            format!(
                "{name} has KillMode=control-group: at a stop, systemd also sends SIGTERM to the processes that \
                 the daemon has started, in the middle of its drain"
            ),
            "KillMode=mixed in the unit; `brokered unit systemd` prints a unit that has it",
        ),
        Some(mode @ ("process" | "none")) => findings.add(
            Level::Warning,
            path,
            format!(
                "{name} has KillMode={mode}: processes that the daemon has started outlive it{}",
                if mode == "none" {
                    ", and systemd never stops the daemon itself"
                } else {
                    ""
                }
            ),
            "KillMode=mixed in the unit; `brokered unit systemd` prints a unit that has it",
        ),
        Some(mode) => findings.add_fine(path, format!("{name} has KillMode={mode}")),
        None => {}
    }
}

/// A client that runs in the unit has started the daemon there.
fn check_unit_of_client(
    inspection: &Inspection,
    unit: &Unit,
    kill_mode: Option<&str>,
    findings: &mut Findings,
) {
    let path = inspection.instance.path().display().to_string();
    let Unit { name, .. } = unit;
    if let Some(mode @ ("process" | "none")) = kill_mode {
        let text = format!("a client in {name} started it, and KillMode={mode} does not end it");
        findings.add_fine(path, text);
        return;
    }
    findings.add(
        Level::Warning,
        path,
        format!(
            "{}: a client in {name} started it, so it is in the control group of {name}: when that unit stops, \
             systemd ends the daemon as well",
            inspection.name()
        ),
        format!(
            "a unit of its own: `brokered unit systemd {} --write ~/.config/systemd/user`; or KillMode=process in {name}",
            inspection.instance.name()
        ),
    );
}

impl Unit {
    /// Asks systemd for a property. `None` if it does not answer in time, or is not here.
    fn property(&self, property: &str, timeout: Duration) -> Option<String> {
        let mut command = Command::new("systemctl");
        if self.is_users {
            command.arg("--user");
        }
        command
            .args(["show", "--value", "--property", property, "--"])
            .arg(&self.name);
        let value = output_of(&mut command, timeout)?;
        let value = value.trim_end();
        (!value.is_empty()).then(|| value.to_owned())
    }
}

/// The service in a list of control groups: <https://man7.org/linux/man-pages/man7/cgroups.7.html>. Control groups that
/// systemd does not stop as a unit, such as those of sessions and of applications, are none.
fn unit_in(groups: &str) -> Option<Unit> {
    let path_of = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let is_systemds =
            controllers == "name=systemd" || (number == "0" && controllers.is_empty());
        (is_systemds && path != "/").then(|| path.to_owned())
    };
    let path = PathBuf::from(groups.lines().find_map(path_of)?);
    let is = |name: &Path, kind: &str| name.extension() == Some(OsStr::new(kind));
    // The group of a session or an application, in whatever service that is.
    if is(&path, "scope") {
        return None;
    }
    // A service may divide its control group.
    let service = path.ancestors().find(|group| is(group, "service"))?;
    let name = service.file_name()?.to_str()?.to_owned();
    // The user's own systemd is a service, too. Below it are the user's units.
    let is_user_manager = |name: &str| name.starts_with("user@");
    let mut groups_above = service.ancestors().skip(1).filter_map(Path::file_name);
    Some(Unit {
        is_users: groups_above.any(|name| name.to_str().is_some_and(is_user_manager)),
        name,
    })
    .filter(|unit| !is_user_manager(&unit.name))
}

/// The output of a command that succeeds in time.
fn output_of(command: &mut Command, timeout: Duration) -> Option<String> {
    let deadline = Instant::now() + timeout;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // The output is shorter than a pipe's buffer, so the command can end before it is read.
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let mut text = String::new();
    child
        .stdout
        .take()?
        .take(4096)
        .read_to_string(&mut text)
        .ok()?;
    status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_service_of_the_control_group() {
        let unit = |groups: &str| unit_in(groups).map(|unit| (unit.name, unit.is_users));
        let users = "/user.slice/user-1000.slice/user@1000.service";
        for (groups, expected) in [
            (
                "0::/system.slice/ci.service\n".to_owned(),
                Some(("ci.service", false)),
            ),
            (
                format!("0::{users}/app.slice/words.service\n"),
                Some(("words.service", true)),
            ),
            (
                format!("0::{users}/app.slice/ide.service/job\n"),
                Some(("ide.service", true)),
            ),
            (
                "9:name=systemd:/system.slice/ci.service\n4:memory:/x\n0::/\n".to_owned(),
                Some(("ci.service", false)),
            ),
            (format!("0::{users}/init.scope\n"), None),
            (format!("0::{users}/app.slice/app-terminal-1.scope\n"), None),
            (
                "0::/user.slice/user-1000.slice/session-3.scope\n".to_owned(),
                None,
            ),
            ("0::/\n".to_owned(), None),
            ("0::/docker/0123\n".to_owned(), None),
            (String::new(), None),
        ] {
            let expected = expected.map(|(name, is_users)| (name.to_owned(), is_users));
            assert_eq!(unit(&groups), expected, "{groups}");
        }
    }

    #[test]
    fn a_command_that_fails_or_takes_too_long_has_no_output() {
        let output =
            |command: &str, timeout| output_of(Command::new("sh").args(["-c", command]), timeout);
        let minute = Duration::from_secs(60);
        assert_eq!(output("echo mixed", minute).as_deref(), Some("mixed\n"));
        assert_eq!(output("echo mixed; exit 1", minute), None);
        assert_eq!(output("exec sleep 60", Duration::from_millis(20)), None);
    }
}
