//! The cost of a user's first build: hello and all its dependencies, from an empty target directory.

use std::fs;
use std::path::Path;

use nix::sys::resource::{UsageWho, getrusage};

use crate::suite::machine::seconds;
use crate::suite::programs::cargo;
use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, Result};

const BROKERED: &str = include_str!("../../../daemons/src/bin/hello-brokered.rs");
const TOKIO: &str = include_str!("../../../daemons/src/bin/hello-tokio.rs");

pub(super) fn hello(bench: &Bench) -> Result<Finding> {
    if !bench.arguments.build {
        return Err("it takes a minute or more; --build enables it".into());
    }
    let runtime = format!(
        "brokered-runtime = {{ path = {:?} }}",
        env!("CARGO_MANIFEST_DIR")
    );
    let tokio =
        r#"tokio = { version = "1", features = ["net", "rt-multi-thread", "macros", "io-util"] }"#;
    let rounds = if bench.arguments.quick { 1 } else { 3 };
    let pairs = Pairs::measure(
        rounds,
        || build(bench, BROKERED, &runtime),
        || build(bench, TOKIO, tokio),
    )?;
    Ok(Finding::pairs(Unit::Cpu, &pairs, Budget::AtMost(0.8)).note(
        "user and system time of cargo and its descendants, dev profile, offline, not incremental",
    ))
}

/// Builds a package outside of any workspace, as users do.
fn build(bench: &Bench, source: &str, dependency: &str) -> Result<f64> {
    let package = bench.scratch.directory()?;
    fs::create_dir(package.join("src"))?;
    fs::write(package.join("src/main.rs"), source)?;
    let manifest = format!(
        "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n\n[workspace]\n"
    );
    fs::write(package.join("Cargo.toml"), manifest)?;
    // Both sides use the versions of this workspace, which are available offline.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    fs::copy(&lock, package.join("Cargo.lock"))
        .map_err(|error| format!("{}: {error}", lock.display()))?;
    let mut command = cargo();
    command
        .args(["build", "--quiet", "--offline"])
        .current_dir(&package);
    command
        .env("CARGO_TARGET_DIR", package.join("target"))
        .env("CARGO_INCREMENTAL", "0");
    let before = children()?;
    let output = command.output()?;
    let took = children()? - before;
    if !output.status.success() {
        return Err(format!(
            "cargo build failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into());
    }
    fs::remove_dir_all(&package)?;
    Ok(took)
}

/// The CPU time of the children that have ended, in seconds.
fn children() -> Result<f64> {
    Ok(seconds(&getrusage(UsageWho::RUSAGE_CHILDREN)?))
}
