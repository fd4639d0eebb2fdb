//! The operator's tool, as it is installed.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

use crate::common::{Place, SUBJECT, stderr, stdout};

/// Built once, by cargo as a user would: with its feature, which nothing else here has. What this costs is the
/// tool itself; the daemons under test stay what they are without it.
static BROKERED: LazyLock<PathBuf> = LazyLock::new(|| {
    let beside = Path::new(SUBJECT);
    let profile = beside.parent().expect("a directory of executables");
    let target = profile.parent().expect("a target directory");
    let release = profile.file_name().is_some_and(|name| name == "release");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "brokered-cli"])
        .args(release.then_some("--release"))
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo");
    assert!(status.success(), "the tool cannot be built");
    profile.join("brokered")
});

/// What a command line has come to.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: stdout(output),
            err: stderr(output),
        }
    }

    /// What it has printed, if all went well.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// What it has complained of, with this exit code.
    #[track_caller]
    pub(crate) fn badly(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.err
    }
}

impl Place {
    /// The tool in this place.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BROKERED.as_path());
        command
            .args(arguments)
            .env("BROKERED_RUNTIME_DIR", self.runtime());
        for variable in [
            "BROKERED_INSTANCE",
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "COLORTERM",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// The tool, ended after a minute: for what goes on until it is ended.
    pub(crate) fn tool_in_time(&self, arguments: &[&str]) -> Command {
        let tool = self.tool(arguments);
        let mut command = Command::new("timeout");
        command
            .arg("60")
            .arg(tool.get_program())
            .args(tool.get_args());
        for (name, value) in tool.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// What it says.
    pub(crate) fn brokered(&self, arguments: &[&str]) -> Said {
        let output = self
            .tool_in_time(arguments)
            .output()
            .expect("the tool runs");
        assert_ne!(output.status.code(), Some(101), "{}", stderr(&output));
        Said::of(&output)
    }

    /// What it says as JSON, whatever its exit code is.
    #[track_caller]
    pub(crate) fn brokered_json(&self, arguments: &[&str]) -> Value {
        let said = self.brokered(&[&["--json"], arguments].concat());
        serde_json::from_str(&said.out)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {:?} {}", said.out, said.err))
    }

    /// Starts the subject with the tool.
    #[track_caller]
    pub(crate) fn start_subject(&self) -> u32 {
        let directory = self.directory();
        let directory = directory.to_str().expect("a path of text");
        self.brokered(&["start", "subject", "-C", directory, "-p", SUBJECT])
            .well();
        self.pid()
    }

    /// The process in the record.
    pub(crate) fn pid(&self) -> u32 {
        let pid = self.recorded("PID").ok();
        pid.and_then(|pid| pid.parse().ok()).expect("a process")
    }
}
