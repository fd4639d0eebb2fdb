//! The programs that are measured. This harness builds them into its own target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Result;

/// The paths of the built programs.
#[derive(Debug)]
pub(super) struct Programs {
    release: PathBuf,
    /// The static C daemon, or why it cannot be built.
    c: Result<PathBuf, String>,
}

impl Programs {
    /// Runs `cargo build --release -p bench-daemons -p herd` for this program's target directory, then compiles the C daemon.
    pub(super) fn build() -> Result<Self> {
        // <target>/release/deps/budgets-<hash>
        let this = std::env::current_exe()?;
        let release = this
            .parent()
            .and_then(Path::parent)
            .ok_or("this program is not in a target directory")?;
        let target = release
            .parent()
            .ok_or("this program is not in a target directory")?;
        let status = cargo()
            .args([
                "build",
                "--release",
                "--quiet",
                "--package",
                "bench-daemons",
                "--package",
                "herd",
                "--target-dir",
            ])
            .arg(target)
            // The default of users' release builds, even if this workspace keeps debug information.
            .args(["--config", "profile.release.debug=false"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()?;
        if !status.success() {
            return Err(format!("building the daemons to measure failed: {status}").into());
        }
        Ok(Self {
            release: target.join("release"),
            c: build_c(),
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.release.join(name)
    }

    pub(super) fn c(&self) -> Result<&Path> {
        self.c.as_deref().map_err(|reason| reason.clone().into())
    }
}

/// The cargo that runs this program.
pub(super) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn build_c() -> Result<PathBuf, String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/daemons/hello.c");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hello-c");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let built = Command::new(&compiler)
        .args(["-O2", "-static", "-o"])
        .arg(&program)
        .arg(source)
        .output();
    let compiler = compiler.to_string_lossy();
    match built {
        Ok(output) if output.status.success() => Ok(program),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(format!(
                "{compiler} cannot build the static C daemon: {}",
                text.lines().next().unwrap_or_default()
            ))
        }
        Err(error) => Err(format!(
            "the static C daemon needs a C compiler, and {compiler} cannot be run: {error}"
        )),
    }
}
