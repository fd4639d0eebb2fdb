//! What the attributes beside `#[brokered_daemon]` do, as far as their names tell.

use proc_macro2::Ident;
use syn::{Attribute, Meta, Path};

/// Whether it is `#[brokered_daemon]`, by any path.
pub(crate) fn is_ours(attribute: &Attribute) -> bool {
    path(attribute)
        .last()
        .is_some_and(|name| name == "brokered_daemon")
}

/// The attribute's name, if it lets other code call the function. A test attribute is known by its last segment, since many
/// crates have one.
pub(crate) fn makes_callable(attribute: &Attribute) -> Option<String> {
    let path = path(attribute);
    let name = path.last()?;
    let calls = name == "test" || is_one_of(&path, &["bench", "no_mangle", "export_name"]);
    calls.then(|| name.to_string())
}

/// `#[target_feature(..)]`: such a function is not called like others, because not every processor can run it.
pub(crate) fn needs_a_processor(attribute: &Attribute) -> bool {
    is_one_of(&path(attribute), &["target_feature"])
}

/// Whether the attribute belongs on the `main` that the process starts with. All others stay on the user's function.
pub(crate) fn goes_outside(attribute: &Attribute) -> bool {
    const OUTSIDE: [&str; 8] = [
        "cfg",
        "doc",
        "allow",
        "warn",
        "deny",
        "forbid",
        "expect",
        // On the user's function, it would warn of the call in the expansion.
        "deprecated",
    ];
    is_one_of(&path(attribute), &OUTSIDE)
}

/// Whether an attribute may make another function of this one, such as one that is not `async`. Only attributes of the compiler
/// and of its tools do not. What `cfg_attr` contains is not known before it is expanded.
pub(crate) fn may_rewrite(attribute: &Attribute) -> bool {
    const INERT: [&str; 16] = [
        "cold",
        "coverage",
        "export_name",
        "ignore",
        "inline",
        "instrument",
        "link_section",
        "must_use",
        "no_mangle",
        "optimize",
        "should_panic",
        "target_feature",
        "test",
        "track_caller",
        "type_length_limit",
        "automatically_derived",
    ];
    const TOOLS: [&str; 3] = ["clippy", "diagnostic", "rustfmt"];
    let path = path(attribute);
    let is_of_a_tool = path.len() > 1 && TOOLS.iter().any(|tool| path[0] == tool);
    !goes_outside(attribute) && !is_ours(attribute) && !is_one_of(&path, &INERT) && !is_of_a_tool
}

/// The segments of the attribute's path. For `#[unsafe(no_mangle)]`, that is `no_mangle`.
fn path(attribute: &Attribute) -> Vec<Ident> {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("unsafe") => list
            .parse_args()
            .map_or_else(|_| Vec::new(), |meta: Meta| segments(meta.path())),
        meta => segments(meta.path()),
    }
}

fn segments(path: &Path) -> Vec<Ident> {
    (path.segments.iter())
        .map(|segment| segment.ident.clone())
        .collect()
}

fn is_one_of(path: &[Ident], names: &[&str]) -> bool {
    matches!(path, [name] if names.iter().any(|known| name == known))
}
