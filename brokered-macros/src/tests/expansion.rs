//! What an expansion consists of.

use crate::attribute::expanded;

const ARGUMENTS: &[&str] = &[
    "\"hello\"",
    "DAEMON, cli = a::b::<C>, help = none, crate = ::renamed,",
    "<A as B<C, D>>::E, help = include_str!(\"x\")",
    "",
    "\"Hello\", cly = a, cli, cli = b(), ; start",
    "state = || a, < > - > :: = == =>",
];

const ITEMS: &[&str] = &[
    "fn main(bound: Bound) {}",
    "/// Doc.\n#[allow(x)] #[tokio::main] async fn main(mut bound: Bound, A { b, .. }: A<B, fn(C) -> D>) -> Result<(), E<{ 1 }>> { #![x] let half = }",
    "fn main(_: Bound, #[x] a: &'static A) -> ! { loop {} }",
    "fn main(_: Bound) -> impl Termination {}",
    "pub const unsafe extern \"C\" fn start<'a, T: A<B>>(&'a mut self, x: impl A, _: ...) -> A where T: A {}",
    "#[brokered_daemon(\"b\")] async fn main();",
    "impl A { fn main() {} }",
];

fn expand(arguments: &str, item: &str) -> String {
    expanded(&arguments.parse().unwrap(), &item.parse().unwrap()).to_string()
}

fn tight(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn an_expansion_is_rust() {
    for arguments in ARGUMENTS {
        for item in ITEMS.iter().filter(|item| !item.contains("half")) {
            let text = expand(arguments, item);
            if let Err(error) = syn::parse_str::<syn::File>(&text) {
                panic!("{arguments}\n{item}\n{error} in\n{text}");
            }
        }
    }
}

#[test]
fn the_function_is_declared_in_the_closure_and_its_body_is_unchanged() {
    let text = tight(&expand(
        "\"hello\"",
        "fn main(bound: Bound) -> A { let half = ; }",
    ));
    assert!(text.contains("|__brokered_bound|{#[allow(clippy::needless_pass_by_value,clippy::single_call_fn)]fn__brokered_main(bound:Bound)->A{lethalf=;}"), "{text}");
}

#[test]
fn cfg_doc_and_lint_levels_move_to_the_outer_main_and_all_others_stay_in_order() {
    let text = tight(&expand(
        "\"hello\"",
        "#[a] /** d */ #[b] #[cfg(c)] #[allow(l)] #[expect(m)] #[cfg_attr(f, g)] #[h::doc] fn main(bound: Bound) {}",
    ));
    assert!(
        text.starts_with("#[doc=\"d\"]#[cfg(c)]#[allow(l)]#[expect(m)]fnmain()->"),
        "{text}"
    );
    assert!(
        text.contains("#[a]#[b]#[cfg_attr(f,g)]#[h::doc]fn__brokered_main"),
        "{text}"
    );
}

#[test]
fn a_lint_level_of_the_user_stays() {
    let allows = |above: &str| {
        let text = tight(&expand(
            "\"hello\"",
            &format!("{above} fn main(bound: Bound) {{}}"),
        ));
        text.contains("#[allow(clippy::needless_pass_by_value,")
    };
    assert!(allows(""));
    assert!(allows(
        "#[deny(clippy::pedantic)] #[expect(clippy::nursery)]"
    ));
    assert!(allows("#[doc = \"needless_pass_by_value\"]"));
    assert!(!allows("#[expect(clippy::needless_pass_by_value)]"));
    assert!(!allows("#[forbid(clippy::needless_pass_by_value)]"));
    assert!(!allows("#[expect(clippy::pedantic)]"));
}

#[test]
fn arguments_are_constants_and_cli_is_called_in_its_branch() {
    let text = tight(&expand("DAEMON, cli = a::cli, help = b", ITEMS[0]));
    assert!(
        text.contains("constDAEMON_ARGUMENT:::brokered_runtime::Daemon=(<::brokered_runtime::attribute::Argument<_>>::new(::brokered_runtime::attribute::DaemonArgument::TYPE,(DAEMON)).daemon());"),
        "{text}"
    );
    assert!(
        text.contains("constHELP_ARGUMENT:::brokered_runtime::attribute::HelpText=(b);"),
        "{text}"
    );
    assert!(
        text.contains("<::brokered_runtime::attribute::Cli<_>>::new(a::cli).call()"),
        "{text}"
    );
}

#[test]
fn a_const_of_the_user_with_the_same_name_is_not_shadowed() {
    let text = tight(&expand("f(DAEMON_ARGUMENT)", ITEMS[0]));
    assert!(text.contains("constDAEMON_ARGUMENT_:::brokered_runtime::Daemon=(<::brokered_runtime::attribute::Argument<_>>::new(::brokered_runtime::attribute::DaemonArgument::TYPE,(f(DAEMON_ARGUMENT)))"), "{text}");
}

#[test]
fn no_expansion_contains_return_unwrap_expect_or_unsafe() {
    let text = tight(&expand(
        "DAEMON, cli = cli",
        "fn main(bound: Bound, a: A) -> B {}",
    ));
    for word in ["return", "unwrap", "expect", "unsafe"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

#[test]
fn each_path_begins_with_the_renamed_runtime() {
    let text = tight(&expand(
        "\"a\", cli = cli, help = b, crate = ::renamed",
        "fn main(bound: Bound, a: A) -> B {}",
    ));
    assert!(
        text.contains("::renamed::") && !text.contains("brokered_runtime"),
        "{text}"
    );
}

#[test]
fn a_mistake_keeps_the_users_function() {
    let text = tight(&expand(
        "",
        "#[allow(l)] #[a] pub fn main(bound: Bound) -> A { body }",
    ));
    assert!(text.contains("::core::compile_error!"), "{text}");
    assert!(
        text.contains(
            "#[allow(l)]fnmain(){#[allow(dead_code)]#[a]fn__brokered_main(bound:Bound)->A{body}}"
        ),
        "{text}"
    );
}
