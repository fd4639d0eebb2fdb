//! One function for each line of the table.

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

/// A line of the table, and what measures it.
pub(super) struct Row {
    /// To name it on the command line.
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// The baseline.
    pub(super) against: &'static str,
    pub(super) measure: fn(&Bench) -> Result<Finding>,
}

/// In the order of the table in the design.
pub(super) const ALL: &[Row] = &[
    Row {
        name: "start-std",
        what: "spawn → connectable, daemon binds itself",
        against: "hand-written std daemon",
        measure: start::against_std,
    },
    Row {
        name: "start-tokio",
        what: "spawn → connectable, daemon binds itself",
        against: "#[tokio::main] daemon",
        measure: start::against_tokio,
    },
    Row {
        name: "cold-connect",
        what: "cold client: call → connected stream (launcher binds)",
        against: "static C daemon, spawn → connectable",
        measure: cold::connect,
    },
    Row {
        name: "cold-reply",
        what: "cold client: call → first reply, having waited for BOUND",
        against: "hand-written std daemon: spawn, spin, first reply",
        measure: cold::reply,
    },
    Row {
        name: "bound-p99",
        what: "cold client: call → BOUND, 99th percentile",
        against: "500 ms",
        measure: cold::bound,
    },
    Row {
        name: "bound-load",
        what: "cold client: call → BOUND, among 200 busy processes",
        against: "500 ms",
        measure: cold::bound_under_load,
    },
    Row {
        name: "warm",
        what: "warm connect_or_spawn + 1-byte round trip, resolved Instance",
        against: "raw interprocess connect + round trip, same server",
        measure: warm::round_trip,
    },
    Row {
        name: "herd",
        what: "100 cold client processes at once, stale files about",
        against: "gpg-agent, the same herd",
        measure: herd::stale,
    },
    Row {
        name: "herd-cost",
        what: "cold herd of 400 client processes, time for each client",
        against: "the same with 10",
        measure: herd::cost,
    },
    Row {
        name: "size",
        what: "cold client: call → BOUND, a 100 MB executable",
        against: "the same with a 1 MB one",
        measure: cold::size,
    },
    Row {
        name: "parent",
        what: "call → BOUND, from a process with 4 GiB resident",
        against: "the same from a small one",
        measure: parent::large,
    },
    Row {
        name: "accept-loop",
        what: "accept loop, requests/s, incoming()",
        against: "raw interprocess loop",
        measure: accept::incoming,
    },
    Row {
        name: "accept-serve",
        what: "accept loop, requests/s, serve()",
        against: "raw interprocess loop, a thread per client",
        measure: accept::serve,
    },
    Row {
        name: "status",
        what: "status() while every worker is busy",
        against: "raw interprocess connect + round trip",
        measure: control::status,
    },
    Row {
        name: "memory",
        what: "resident memory, idle after one request",
        against: "hand-written std daemon",
        measure: memory::idle,
    },
    Row {
        name: "build",
        what: "cold cargo build of hello, CPU seconds",
        against: "hello on tokio",
        measure: build::hello,
    },
];
