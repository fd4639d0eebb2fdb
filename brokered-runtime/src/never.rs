//! [`Never`]: the return type of a function that never returns.

/// The return type of a function that never returns. It has no values.
///
/// ```
/// use brokered_runtime::Never;
///
/// // The compiler knows that a `match` without arms covers all values.
/// fn absurd(never: Never) -> u32 {
///     match never {}
/// }
/// ```
#[derive(Debug)]
pub enum Never {}
