//! The rows of the table, with one measuring function for each.

mod accept;
mod build;
mod cold;
mod control;
mod herd;
mod memory;
mod parent;
mod start;
mod warm;

use super::table::Finding;
use super::{Bench, Result};

/// A row of the table, and the function that measures it.
pub(super) struct Row {
    /// The name on the command line.
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) baseline: &'static str,
    pub(super) measure: fn(&Bench) -> Result<Finding>,
}

/// All rows, in the order of the table.
pub(super) const ALL: &[Row] = &[
    Row {
        name: "start-std",
        description: "spawn → connectable, daemon binds itself",
        baseline: "handwritten std daemon",
        measure: start::against_std,
    },
    Row {
        name: "start-tokio",
        description: "spawn → connectable, daemon binds itself",
        baseline: "#[tokio::main] daemon",
        measure: start::against_tokio,
    },
    Row {
        name: "cold-connect",
        description: "cold client: call → connected stream (launcher binds)",
        baseline: "static C daemon, spawn → connectable",
        measure: cold::connect,
    },
    Row {
        name: "cold-reply",
        description: "cold client: call → first reply, waiting for BOUND",
        baseline: "handwritten std daemon: spawn, spin, first reply",
        measure: cold::reply,
    },
    Row {
        name: "bound-p99",
        description: "cold client: call → BOUND, 99th percentile",
        baseline: "500 ms",
        measure: cold::bound,
    },
    Row {
        name: "bound-load",
        description: "cold client: call → BOUND, among 200 busy processes",
        baseline: "500 ms",
        measure: cold::bound_under_load,
    },
    Row {
        name: "warm",
        description: "warm connect_or_spawn + 1-byte round trip, resolved Instance",
        baseline: "raw interprocess connect + round trip, same server",
        measure: warm::round_trip,
    },
    Row {
        name: "herd",
        description: "thundering herd of 100 cold client processes over stale files",
        baseline: "gpg-agent, the same herd",
        measure: herd::stale,
    },
    Row {
        name: "herd-cost",
        description: "thundering herd of 400 cold client processes, time for each client",
        baseline: "the same with 10",
        measure: herd::cost,
    },
    Row {
        name: "size",
        description: "cold client: call → BOUND, a 100 MB executable",
        baseline: "the same with a 1 MB one",
        measure: cold::size,
    },
    Row {
        name: "parent",
        description: "call → BOUND, from a process with 4 GiB resident",
        baseline: "the same from a small one",
        measure: parent::large,
    },
    Row {
        name: "accept-loop",
        description: "accept loop, requests/s, incoming()",
        baseline: "raw interprocess loop",
        measure: accept::incoming,
    },
    Row {
        name: "accept-serve",
        description: "accept loop, requests/s, serve()",
        baseline: "raw interprocess loop, a thread per client",
        measure: accept::serve,
    },
    Row {
        name: "status",
        description: "status() while every worker is busy",
        baseline: "raw interprocess connect + round trip",
        measure: control::status,
    },
    Row {
        name: "memory",
        description: "resident memory, idle after one request",
        baseline: "handwritten std daemon",
        measure: memory::idle,
    },
    Row {
        name: "build",
        description: "cold cargo build of hello, CPU seconds",
        baseline: "hello on tokio",
        measure: build::hello,
    },
];
