//! A Rust program with an empty `main`: the baseline for the system calls of a daemon before it listens.

#![forbid(unsafe_code)]

fn main() {}
