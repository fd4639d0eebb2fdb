//! A hundred client processes at once, none of which finds a daemon, over what a killed one has left behind.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use crate::suite::process::end;
use crate::suite::stats::median;
use crate::suite::table::{Finding, Unit};
use crate::suite::{Bench, ECHO, Result, nanoseconds};

const CLIENTS: usize = 100;

/// What came of all rounds of one side.
#[derive(Debug, Default)]
struct Tally {
    /// Daemons that clients have talked to, at most in a round.
    owners: usize,
    failures: usize,
    first_failure: Option<String>,
    walls: Vec<f64>,
}

impl Tally {
    fn write(&self) -> String {
        let plural = if self.owners == 1 { "" } else { "s" };
        let wall = Unit::Time.write(median(&self.walls));
        format!(
            "{} daemon{plural}, {} failed, {wall}",
            self.owners, self.failures
        )
    }
}

pub(super) fn herd(bench: &Bench) -> Result<Finding> {
    let rounds = bench.arguments.rounds(10).min(10);
    let gpg = Command::new("gpg-connect-agent")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let gpg = gpg.is_ok_and(|status| status.success());
    let (mut ours, mut theirs) = (Tally::default(), Tally::default());
    for _ in 0..rounds {
        our_round(bench, &mut ours)?;
        if gpg {
            gpg_round(bench, &mut theirs)?;
        }
    }
    let baseline = if gpg {
        theirs.write()
    } else {
        "gpg-agent is not installed".to_owned()
    };
    let kept = ours.owners == 1 && ours.failures == 0;
    let mut finding = Finding::counts(ours.write(), baseline, "1 daemon, 0 failures", kept, rounds);
    for (side, tally) in [("ours", &ours), ("gpg-agent", &theirs)] {
        if let Some(said) = &tally.first_failure {
            finding = finding.note(format!("{side}, the first failure: {said}"));
        }
    }
    Ok(finding
        .note("wall is from letting the herd go to the end of its last client, exec included"))
}

fn our_round(bench: &Bench, tally: &mut Tally) -> Result<()> {
    let runtime = bench.scratch.directory()?;
    let client = |gate: &PipeReader| {
        let mut command = waiting(bench.programs.path("cold-client"));
        command
            .arg("herd")
            .arg(bench.programs.path("echo-brokered"));
        Waiting::start(command.env("BROKERED_RUNTIME_DIR", &runtime), gate)
    };
    let daemon = |said: &str| said.split_whitespace().nth(2)?.parse().ok();
    kill_the_first(client, daemon)?;
    // What a killed daemon leaves: the socket above all, which is refused from now on.
    let endpoint = bench.endpoint(ECHO, &runtime)?;
    if !endpoint.exists() || UnixStream::connect(&endpoint).is_ok() {
        return Err(format!(
            "{} is not the stale socket that this row needs",
            endpoint.display()
        )
        .into());
    }
    stampede(client, daemon, tally)
}

fn gpg_round(bench: &Bench, tally: &mut Tally) -> Result<()> {
    let home = bench.scratch.directory()?;
    let client = |gate: &PipeReader| {
        let mut command = waiting("gpg-connect-agent");
        command.args(["--quiet", "getinfo pid", "/bye"]);
        Waiting::start(command.env("GNUPGHOME", &home), gate)
    };
    let daemon = |said: &str| {
        said.lines()
            .find_map(|line| line.strip_prefix("D "))?
            .trim()
            .parse()
            .ok()
    };
    kill_the_first(client, daemon)?;
    stampede(client, daemon, tally)
}

/// One client starts a daemon, which is then killed, so that its files are stale.
fn kill_the_first(
    client: impl Fn(&PipeReader) -> Result<Waiting>,
    daemon: impl Fn(&str) -> Option<u32>,
) -> Result<()> {
    let (gate, holder) = std::io::pipe()?;
    let first = client(&gate)?;
    drop(holder);
    let said = first.outcome()?;
    end(daemon(&said).ok_or_else(|| format!("the first client got no answer: {said}"))?)
}

/// Starts the herd, lets all of it go at once, and counts.
fn stampede(
    client: impl Fn(&PipeReader) -> Result<Waiting>,
    daemon: impl Fn(&str) -> Option<u32>,
    tally: &mut Tally,
) -> Result<()> {
    let (gate, holder) = std::io::pipe()?;
    let herd = (0..CLIENTS)
        .map(|_| client(&gate))
        .collect::<Result<Vec<_>>>()?;
    let released = Instant::now();
    drop(holder);
    let said = herd
        .into_iter()
        .map(Waiting::outcome)
        .collect::<Result<Vec<_>>>()?;
    tally.walls.push(nanoseconds(released.elapsed()));
    let mut owners = BTreeSet::new();
    for text in said {
        if let Some(id) = daemon(&text) {
            owners.insert(id);
        } else {
            tally.failures += 1;
            tally
                .first_failure
                .get_or_insert_with(|| text.trim().to_owned());
        }
    }
    tally.owners = tally.owners.max(owners.len());
    owners.into_iter().try_for_each(end)
}

/// A client process that has come as far as it can without having begun.
#[derive(Debug)]
struct Waiting {
    process: Child,
    says: BufReader<ChildStdout>,
}

/// `program`, run once its standard input has ended: a shell waits, and then becomes it.
fn waiting(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            r#"echo waiting; read -r _; exec "$@" </dev/null 2>&1"#,
            "sh",
        ])
        .arg(program);
    command
}

impl Waiting {
    /// Returns once the process is waiting.
    fn start(command: &mut Command, gate: &PipeReader) -> Result<Self> {
        let mut process = command
            .stdin(gate.try_clone()?)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut says = BufReader::new(
            process
                .stdout
                .take()
                .ok_or("the client's output is not piped")?,
        );
        says.read_line(&mut String::new())?;
        Ok(Self { process, says })
    }

    /// All that it said, on standard output and standard error, until its end.
    fn outcome(mut self) -> Result<String> {
        let mut said = String::new();
        self.says.read_to_string(&mut said)?;
        self.process.wait()?;
        Ok(said)
    }
}
