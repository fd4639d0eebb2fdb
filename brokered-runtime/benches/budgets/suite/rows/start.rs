//! Spawn → connectable, for a daemon that is started by hand and binds itself.

use std::path::Path;
use std::process::Command;

use crate::suite::process::{Starter, with_null_streams};
use crate::suite::scratch::private_directory;
use crate::suite::stats::median;
use crate::suite::table::{Budget, Finding, Pairs, Unit};
use crate::suite::{Bench, HELLO, Result};

pub(super) fn against_std(bench: &Bench) -> Result<Finding> {
    let start = Start::new(bench)?;
    let rounds = bench.arguments.rounds(1000);
    let pairs = Pairs::measure(rounds, || start.ours(), || start.by_hand("hello-std"))?;
    let first = Pairs::measure(
        rounds / 4,
        || start.ours_without_directory(),
        || start.by_hand("hello-std"),
    )?;
    let finding = Finding::pairs(Unit::Time, &pairs, Budget::AtMost(1.05)).note(format!(
        "where ours also creates its directory, in its first start: {}",
        first.ratio()
    ));
    let others = || start.by_hand("hello-interprocess");
    let beside = match Pairs::measure(rounds / 4, others, || start.c()) {
        Ok(beside) => {
            let [interprocess, c] =
                [beside.ours, beside.baseline].map(|side| Unit::Time.write(median(&side)));
            format!("for comparison: raw interprocess {interprocess}, static C {c}")
        }
        Err(error) => error.to_string(),
    };
    Ok(finding.note(beside))
}

pub(super) fn against_tokio(bench: &Bench) -> Result<Finding> {
    let start = Start::new(bench)?;
    let rounds = bench.arguments.rounds(1000);
    let pairs = Pairs::measure(rounds, || start.ours(), || start.by_hand("hello-tokio"))?;
    let by_hand = || start.by_hand("hello-std");
    let std = Pairs::measure(rounds / 4, by_hand, || start.by_hand("hello-tokio"))?;
    let finding = Finding::pairs(Unit::Time, &pairs, Budget::AtMost(0.80));
    Ok(finding
        .note(format!(
            "tokio starts {} workers, one for each core",
            bench.cores
        ))
        .note(format!(
            "the handwritten std daemon compared with tokio's: {}",
            std.ratio()
        )))
}

/// Starts daemons, each in a new runtime directory.
#[derive(Debug)]
struct Start<'bench> {
    bench: &'bench Bench,
    starter: Starter,
}

impl<'bench> Start<'bench> {
    fn new(bench: &'bench Bench) -> Result<Self> {
        if bench.cores < 2 {
            return Err("the spinning client needs its own core, and there is only one".into());
        }
        Ok(Self {
            bench,
            starter: Starter::new()?,
        })
    }

    /// With an existing instance directory, which earlier daemons leave.
    fn ours(&self) -> Result<f64> {
        let runtime = self.bench.scratch.directory()?;
        private_directory(&runtime.join(HELLO.name()))?;
        self.ours_in(&runtime)
    }

    fn ours_without_directory(&self) -> Result<f64> {
        self.ours_in(&self.bench.scratch.directory()?)
    }

    fn ours_in(&self, runtime: &Path) -> Result<f64> {
        let endpoint = self.bench.endpoint(HELLO, runtime)?;
        self.time(
            Command::new(self.bench.programs.path("hello-brokered")),
            runtime,
            &endpoint,
        )
    }

    fn by_hand(&self, program: &str) -> Result<f64> {
        self.time_by_hand(&self.bench.programs.path(program))
    }

    fn c(&self) -> Result<f64> {
        self.time_by_hand(self.bench.programs.c()?)
    }

    fn time_by_hand(&self, program: &Path) -> Result<f64> {
        let runtime = self.bench.scratch.directory()?;
        let endpoint = runtime.join("socket");
        let mut command = Command::new(program);
        command.arg(&endpoint);
        self.time(command, &runtime, &endpoint)
    }

    fn time(&self, mut command: Command, runtime: &Path, endpoint: &Path) -> Result<f64> {
        with_null_streams(&mut command).env("BROKERED_RUNTIME_DIR", runtime);
        // Pinned to one core, tokio would start one worker instead of one for each core.
        command.env("TOKIO_WORKER_THREADS", self.bench.cores.to_string());
        let (took, _running) = self.starter.until_connectable(command, endpoint)?;
        Ok(took)
    }
}
