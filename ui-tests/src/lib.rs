//! Programs that the compiler refuses, and what it says; programs that it takes. See `tests/`.

#![forbid(unsafe_code)]
