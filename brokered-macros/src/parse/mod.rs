//! The first stage: what the attribute is given, from tokens to structures. `check` decides what is allowed.
//!
//! Expressions, patterns and the body stay tokens. The compiler parses them, and half-typed code expands as well.
//!
//! Start reading at [`arguments`] and [`item`].

pub(crate) mod arguments;
mod conditions;
pub(crate) mod item;
pub(crate) mod parameter;
mod tokens;
pub(crate) mod types;

#[cfg(test)]
mod tests;
