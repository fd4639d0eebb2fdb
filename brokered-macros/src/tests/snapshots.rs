//! Expansions, formatted. `BLESS=1` rewrites the files. Read the difference before you commit it.

use std::env;
use std::fs;
use std::path::Path;

use crate::attribute::expanded;

fn expansion(arguments: &str, item: &str) -> String {
    let tokens = expanded(&arguments.parse().unwrap(), &item.parse().unwrap());
    let file = syn::parse2(tokens.clone()).unwrap_or_else(|error| panic!("{error} in {tokens}"));
    prettyplease::unparse(&file)
}

#[test]
fn expansions_match_their_snapshots() {
    let mut wrong = Vec::new();
    for (name, arguments, item) in [
        (
            "smallest",
            "\"hello\"",
            "fn main(bound: Bound) { drop(bound) }",
        ),
        (
            "states",
            "INDEXD",
            "fn main(bound: Bound, index: Index, Motd(text): Motd<'static>) -> io::Result<()> { body }",
        ),
        (
            "options",
            "\"words\", cli = client::run, help = include_str!(\"help.txt\"), crate = ::renamed",
            "fn main(_: Bound) {}",
        ),
        ("no_help", "WORDS, help = none", "fn main(_: Bound) {}"),
        (
            "executor_below",
            "\"indexd\"",
            "#[tokio::main] async fn main(bound: Bound, index: Index) -> anyhow::Result<()> { body.await }",
        ),
        (
            "attributes",
            "\"indexd\"",
            "/// Documentation.\n#[allow(unused)] #[inline(never)] #[cfg(unix)] fn main(bound: Bound) { #![allow(dead_code)] }",
        ),
        (
            "conditional_parameter",
            "\"indexd\"",
            "fn main(bound: Bound, #[cfg(feature = \"index\")] index: Index) { body }",
        ),
        (
            "never",
            "\"indexd\"",
            "fn main(bound: Bound) -> ! { loop {} }",
        ),
        (
            "some_termination",
            "\"indexd\"",
            "fn main(bound: Bound) -> impl Termination { body }",
        ),
        (
            "mistakes",
            "\"Indexd\", cly = cli",
            "pub fn main(bound: Bound) -> io::Result<()> { body }",
        ),
        (
            "receiver",
            "\"indexd\"",
            "fn main(&self, bound: Bound) { self.body }",
        ),
        ("no_function", "\"indexd\"", "struct App { index: Index }"),
    ] {
        let text = format!(
            "// #[brokered_daemon({arguments})]\n// {}\n\n{}",
            item.replace('\n', "\n// "),
            expansion(arguments, item)
        );
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/tests/snapshots")
            .join(name)
            .with_extension("txt");
        if env::var_os("BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        if kept != text {
            wrong.push(format!(
                "{name} is now (BLESS=1 keeps it)\n{text}\nand was\n{kept}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
