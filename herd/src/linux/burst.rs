//! Clients that are all let go at one instant.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, PipeWriter, pipe};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{WaitOptions, wait};

use super::Result;

/// A herd that waits to be let go.
#[derive(Debug)]
pub(super) struct Herd {
    /// Each process, and where it writes.
    waiting: HashMap<i32, PathBuf>,
    gate: PipeWriter,
}

/// What came of one client.
#[derive(Debug)]
pub(super) struct Client {
    /// From the release to its exit.
    pub(super) took: Duration,
    pub(super) succeeded: bool,
    /// On standard output and standard error.
    pub(super) said: String,
}

/// `program`, run once its standard input has ended: a shell says that it waits, and then becomes it.
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
    /// Returns once all of them wait.
    pub(super) fn gather(
        number: usize,
        scratch: &Path,
        client: impl Fn() -> Result<Command>,
    ) -> Result<Self> {
        let (gate, release) = pipe()?;
        let (said, says) = pipe()?;
        let mut waiting = HashMap::new();
        for nth in 0..number {
            let path = scratch.join(format!("said-{nth}"));
            let process = client()?
                .stdin(gate.try_clone()?)
                .stdout(File::create(&path)?)
                .stderr(says.try_clone()?)
                .spawn()?;
            waiting.insert(i32::try_from(process.id())?, path);
        }
        drop(says);
        let mut lines = BufReader::new(said).lines();
        for _ in 0..number {
            lines.next().ok_or("a client did not come to the gate")??;
        }
        Ok(Self {
            waiting,
            gate: release,
        })
    }

    /// Lets them go, and returns when the last of them has ended.
    pub(super) fn let_go(mut self) -> Result<Vec<Client>> {
        let mut clients = Vec::with_capacity(self.waiting.len());
        let released = Instant::now();
        drop(self.gate);
        while !self.waiting.is_empty() {
            // Daemons that were killed are reaped on the way.
            let Some((process, status)) = wait(WaitOptions::empty())? else {
                continue;
            };
            let took = released.elapsed();
            if let Some(path) = self.waiting.remove(&process.as_raw_nonzero().get()) {
                clients.push((took, status.exit_status() == Some(0), path));
            }
        }
        // Read only now, so that nothing but waiting is between one exit and the next.
        clients
            .into_iter()
            .map(|(took, succeeded, path)| {
                let said = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
                Ok(Client {
                    took,
                    succeeded,
                    said,
                })
            })
            .collect()
    }
}
