//! Programs that the compiler refuses, with what it prints, and programs that it accepts. See `tests/`.

#![forbid(unsafe_code)]
// The code in the README compiles.
#![cfg_attr(doctest, doc = include_str!("../../README.md"))]
