//! The rules, one by one.

use proc_macro2::TokenStream;

use super::{arguments, function};
use crate::parse::item::{self, Item};

fn codes_of(attribute: &str, item: &str) -> Vec<&'static str> {
    let mut mistakes = Vec::new();
    let tokens: TokenStream = attribute.parse().unwrap();
    arguments(
        crate::parse::arguments::parse(tokens.clone()),
        &mut mistakes,
    );
    match item::parse(item.parse().unwrap()) {
        Item::Function(main) => function(&main, &tokens, &mut mistakes),
        Item::Other(other) => panic!("{item} is parsed as {}", other.what),
    }
    mistakes
        .iter()
        .map(|mistake| mistake.message.entry().code)
        .collect()
}

const FINE: &str = "fn main(bound: Bound) {}";

#[test]
fn correct_uses_are_accepted() {
    for attribute in [
        r#""hello""#,
        r#"r"hello","#,
        r##"r#"hello"#"##,
        "DAEMON, cli = cli, help = none, crate = ::renamed",
        "Daemon::new(\"a\").per_directory(), help = include_str!(\"x\")",
        "DAEMON, cli = self::a::cli::<B, C>",
        "DAEMON, cli = <A as B>::cli",
        "DAEMON, cli = <A<C> as B>::cli::<D>",
        "DAEMON, cli = a::<{ if B { 1 } else { 2 } }>",
        "if A < B { C } else { D }, help = if E > F { \"x\" } else { \"y\" }",
    ] {
        assert!(
            codes_of(attribute, FINE).is_empty(),
            "{attribute}: {:?}",
            codes_of(attribute, FINE)
        );
    }
    for item in [
        "fn main(_: Bound, index: Index) -> ! { loop {} }",
        "#[tokio::main] async fn main(bound: Bound) {}",
        "#[cfg_attr(unix, tokio::main)] async fn main(bound: Bound) {}",
        "fn main(bound) {}",
        "fn main(bound: Bound, index: &'static Index, half: &) {}",
        "fn main(bound: Bound, one: A, another: A) {}",
        "fn main(bound: brokered_runtime::Bound, one: geometry::Bound) {}",
        "fn main(bound: Bound, one: A<{ let b = 1; b }, 2>) {}",
        "fn main(bound: Bound, one: A<{ b(); 1 }>) -> B<{ if C { 1 } else { 2 } }> {}",
        "fn main(bound: Bound, self::A::<B, C>(d): self::A<B, C>) {}",
    ] {
        assert!(
            codes_of("\"a\"", item).is_empty(),
            "{item}: {:?}",
            codes_of("\"a\"", item)
        );
    }
}

#[test]
fn each_wrong_argument_is_one_mistake() {
    for (attribute, wanted) in [
        ("", "B001"),
        ("cli = cli", "B001"),
        ("name = \"hello\"", "B001"),
        ("cli = a, \"hello\"", "B029"),
        ("\"\"", "B002"),
        ("\"Hello\"", "B002"),
        ("\"hello world\"", "B002"),
        ("\"-a\"", "B002"),
        ("\"a-\"", "B002"),
        ("\"a\\x62\"", "B002"),
        ("42", "B003"),
        ("b\"a\"", "B003"),
        ("c\"a\"", "B003"),
        ("'a'", "B003"),
        ("\"a\".per_directory()", "B004"),
        ("A, cly = cli", "B007"),
        ("A, state = State::open()", "B006"),
        ("A; b()", "B005"),
        ("\"a\"; b()", "B005"),
        ("A, help = b; c()", "B005"),
        ("A, cli", "B010"),
        ("A, cli =", "B010"),
        ("A, cli(cli)", "B010"),
        ("A, start", "B008"),
        ("A, \"b\"", "B008"),
        ("A, || b", "B008"),
        ("A, per_directory", "B026"),
        ("A, per_directory = true", "B026"),
        ("A, contract(2)", "B026"),
        ("\"a\", contract = 2", "B026"),
        ("A, cli = a, cli = b", "B009"),
        ("A, cli = a, cli", "B009"),
        ("A, cli = cli()", "B011"),
        ("A, cli = || cli()", "B011"),
        ("A, cli = \"cli\"", "B011"),
        ("A, cli = { cli }", "B011"),
        ("A, cli = a.b", "B011"),
        ("A, cli = a::", "B011"),
        ("A, cli = vec![]", "B011"),
        ("A, cli = a; b", "B011"),
        ("A,, cli = a", "B031"),
        ("A,,", "B031"),
        ("\"a\", cli = a,, help = none", "B031"),
        (", cli = a", "B001"),
        (",", "B001"),
        (", \"a\"", "B029"),
        ("A, crate = \"renamed\"", "B012"),
        ("A, crate = a()", "B012"),
    ] {
        assert_eq!(codes_of(attribute, FINE), [wanted], "{attribute}");
    }
}

#[test]
fn each_wrong_function_is_one_mistake() {
    for (item, wanted) in [
        ("fn start(bound: Bound) {}", "B014"),
        ("pub fn main(bound: Bound) {}", "B015"),
        ("pub(crate) fn main(bound: Bound) {}", "B015"),
        ("unsafe fn main(bound: Bound) {}", "B016"),
        ("const fn main(bound: Bound) {}", "B016"),
        ("extern \"C\" fn main(bound: Bound) {}", "B016"),
        (
            "#[target_feature(enable = \"avx2\")] fn main(bound: Bound) {}",
            "B016",
        ),
        ("fn main<T: State>(bound: Bound, state: T) {}", "B017"),
        ("fn main(bound: Bound) where u8: Copy {}", "B017"),
        ("fn main(bound: Bound, state: impl State) {}", "B017"),
        ("fn main(&self) {}", "B018"),
        ("fn main(self: Box<Self>, bound: Bound) {}", "B018"),
        ("fn main(bound: Bound, ...) {}", "B019"),
        ("fn main(bound: Bound);", "B020"),
        (
            "#[brokered_runtime::brokered_daemon(\"b\")] fn main(bound: Bound) {}",
            "B021",
        ),
        ("fn main() {}", "B022"),
        ("fn main(bound: Bound, again: Bound) {}", "B023"),
        ("fn main(index: Index, bound: Bound) {}", "B027"),
        ("#[test] fn main(bound: Bound) {}", "B028"),
        ("#[tokio::test] async fn main(bound: Bound) {}", "B028"),
        ("#[unsafe(no_mangle)] fn main(bound: Bound) {}", "B028"),
        ("#[export_name = \"a\"] fn main(bound: Bound) {}", "B028"),
        ("fn main(bound: Bound) { #![no_mangle] }", "B028"),
        ("fn __brokered_main(bound: Bound) {}", "B021"),
        ("fn main(bound: Bound, index: &Index) {}", "B024"),
        ("fn main(bound: Bound, index: &mut Index) {}", "B024"),
        ("async fn main(bound: Bound) {}", "B025"),
        (
            "#[inline] #[allow(unused)] #[clippy::msrv = \"1\"] async fn main(bound: Bound) {}",
            "B025",
        ),
    ] {
        assert_eq!(codes_of("\"a\"", item), [wanted], "{item}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    assert_eq!(
        codes_of("\"A\", cly = a", "pub fn start() {}"),
        ["B002", "B007", "B014", "B015", "B022"]
    );
}
