//! The operator's command line, built as a user builds it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

use crate::common::{Fixture, TEST_DAEMON, stderr, stdout};

/// Built once, by a separate cargo: a test cannot depend on the binary of another package.
static BROKERED: LazyLock<PathBuf> = LazyLock::new(|| {
    let beside = Path::new(TEST_DAEMON);
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

/// The exit code and the output of the tool.
pub(crate) struct ToolOutput {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl ToolOutput {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: stdout(output),
            err: stderr(output),
        }
    }

    /// Standard output, if the tool succeeded.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// Standard error, if the tool failed with this exit code.
    #[track_caller]
    pub(crate) fn failure(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.err
    }
}

impl Fixture {
    /// The tool, for this runtime directory.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BROKERED.as_path());
        command
            .args(arguments)
            .env("BROKERED_RUNTIME_DIR", self.runtime_directory());
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

    /// The tool, ended after a minute if it does not end before.
    pub(crate) fn tool_with_timeout(&self, arguments: &[&str]) -> Command {
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

    /// Runs the tool.
    pub(crate) fn brokered(&self, arguments: &[&str]) -> ToolOutput {
        let output = self
            .tool_with_timeout(arguments)
            .output()
            .expect("the tool can be run");
        assert_ne!(output.status.code(), Some(101), "{}", stderr(&output));
        ToolOutput::of(&output)
    }

    /// Runs the tool with `--json`, and ignores its exit code.
    #[track_caller]
    pub(crate) fn brokered_json(&self, arguments: &[&str]) -> Value {
        let output = self.brokered(&[&["--json"], arguments].concat());
        serde_json::from_str(&output.out).unwrap_or_else(|error| {
            panic!("{arguments:?}: {error}: {:?} {}", output.out, output.err)
        })
    }

    /// Starts the subject with the tool.
    #[track_caller]
    pub(crate) fn start_test_daemon(&self) -> u32 {
        let directory = self.project_directory();
        let directory = directory.to_str().expect("a path of text");
        self.brokered(&["start", "test-daemon", "-C", directory, "-p", TEST_DAEMON])
            .success();
        self.pid()
    }

    /// The process ID in the record.
    pub(crate) fn pid(&self) -> u32 {
        let pid = self.record_value("PID").ok();
        pid.and_then(|pid| pid.parse().ok()).expect("a process ID")
    }
}
