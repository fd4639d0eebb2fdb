//! What a Rust program does by itself: the measure for what a daemon does before it listens.

#![forbid(unsafe_code)]

fn main() {}
