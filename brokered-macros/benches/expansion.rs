//! The cost of an expansion, in process. It does not include the compiler's own work, which takes longer.

#![allow(dead_code, unused_imports)]

#[path = "../src/attribute.rs"]
mod attribute;
#[path = "../src/catalogue.rs"]
mod catalogue;
#[path = "../src/check/mod.rs"]
mod check;
#[path = "../src/expand.rs"]
mod expand;
#[path = "../src/parse/mod.rs"]
mod parse;

use std::hint::black_box;
use std::time::{Duration, Instant};

use proc_macro2::TokenStream;

const RUNS: usize = 2_000;

fn main() {
    let long_body = "let words = index.words(bound.instance()); ".repeat(500);
    println!("| expansion | tokens | median µs | p99 µs |");
    println!("|---|---|---|---|");
    for (name, arguments, item) in [
        (
            "the smallest daemon",
            "\"hello\"",
            "fn main(bound: Bound) -> io::Result<()> { bound.serve(|_| Ok(())) }".to_owned(),
        ),
        (
            "two states, `cli` and `help`",
            "INDEXD, cli = cli, help = include_str!(\"help.txt\")",
            "fn main(bound: Bound, index: Index, words: Words) -> io::Result<()> { body }"
                .to_owned(),
        ),
        (
            "a body of 500 lines",
            "\"hello\"",
            format!("fn main(bound: Bound, index: Index) {{ {long_body} }}"),
        ),
        (
            "three mistakes",
            "\"Indexd\", cly = cli",
            "pub fn main(bound: Bound) {}".to_owned(),
        ),
    ] {
        let arguments: TokenStream = arguments.parse().expect("tokens");
        let item: TokenStream = item.parse().expect("tokens");
        let mut times: Vec<Duration> = (0..RUNS)
            .map(|_| {
                let began = Instant::now();
                black_box(attribute::expanded(black_box(&arguments), black_box(&item)));
                began.elapsed()
            })
            .collect();
        times.sort();
        println!(
            "| {name} | {} | {:.1} | {:.1} |",
            count(item),
            micros(times[RUNS / 2]),
            micros(times[RUNS * 99 / 100]),
        );
    }
}

fn count(tokens: TokenStream) -> usize {
    tokens
        .into_iter()
        .map(|token| match token {
            proc_macro2::TokenTree::Group(group) => 1 + count(group.stream()),
            _ => 1,
        })
        .sum()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
