//! Clients that are all released at one instant.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, PipeWriter, pipe};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{WaitOptions, wait};

use super::Result;

/// A herd that waits for its release.
#[derive(Debug)]
pub(super) struct Herd {
    /// Each process, and the file that holds its output.
    waiting: HashMap<i32, PathBuf>,
    gate: PipeWriter,
}

/// The result of one client.
#[derive(Debug)]
pub(super) struct Client {
    /// From the release to its exit.
    pub(super) took: Duration,
    pub(super) succeeded: bool,
    /// Standard output and standard error.
    pub(super) output: String,
}

/// A shell that reports that it waits, waits for the end of its standard input, and then executes `program`.
pub(super) fn client(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            r#"echo waiting >&2; read -r _; exec "$@" </dev/null 2>&1"#,
            "sh",
        ])
        .arg(program);
    command
}

impl Herd {
    /// Starts the clients, and returns once all of them wait.
    pub(super) fn start(
        number: usize,
        scratch: &Path,
        client: impl Fn() -> Result<Command>,
    ) -> Result<Self> {
        let (gate, release) = pipe()?;
        let (reports, report) = pipe()?;
        let mut waiting = HashMap::new();
        for nth in 0..number {
            let path = scratch.join(format!("output-{nth}"));
            let process = client()?
                .stdin(gate.try_clone()?)
                .stdout(File::create(&path)?)
                .stderr(report.try_clone()?)
                .spawn()?;
            waiting.insert(i32::try_from(process.id())?, path);
        }
        drop(report);
        let mut lines = BufReader::new(reports).lines();
        for _ in 0..number {
            lines
                .next()
                .ok_or("a client has ended before the release")??;
        }
        Ok(Self {
            waiting,
            gate: release,
        })
    }

    /// Releases the clients, and returns when the last of them has ended.
    pub(super) fn release(mut self) -> Result<Vec<Client>> {
        let mut clients = Vec::with_capacity(self.waiting.len());
        let released = Instant::now();
        drop(self.gate);
        while !self.waiting.is_empty() {
            // This also reaps killed daemons.
            let Some((process, status)) = wait(WaitOptions::empty())? else {
                continue;
            };
            let took = released.elapsed();
            if let Some(path) = self.waiting.remove(&process.as_raw_nonzero().get()) {
                clients.push((took, status.exit_status() == Some(0), path));
            }
        }
        // The output is read last, so that it delays no measured exit.
        clients
            .into_iter()
            .map(|(took, succeeded, path)| {
                let output = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
                Ok(Client {
                    took,
                    succeeded,
                    output,
                })
            })
            .collect()
    }
}
