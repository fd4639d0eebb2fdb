//! Tests of the whole attribute, in process.

mod expansion;
mod half_typed;
mod positions;
mod snapshots;

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// One use of the attribute: its arguments and its item.
struct Use {
    file: String,
    arguments: TokenStream,
    item: TokenStream,
}

/// Each use of the attribute in the programs of the UI suite.
fn uses() -> Vec<Use> {
    let mut files = Vec::new();
    for folder in ["body", "fail", "fixed", "pass"] {
        rust_files(
            &Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../ui-tests")
                .join(folder),
            &mut files,
        );
    }
    let mut uses = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        // The compiler calls no macro if brackets do not match.
        let Ok(tokens) = text.parse::<TokenStream>() else {
            continue;
        };
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            if let Some(arguments) = attribute(token) {
                uses.push(Use {
                    file: file.display().to_string(),
                    arguments,
                    item: item(&tokens[index + 1..]),
                });
            }
        }
    }
    assert!(uses.len() > 100, "{} uses", uses.len());
    uses
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The arguments, if the token is the brackets of `#[brokered_daemon(..)]`.
fn attribute(token: &TokenTree) -> Option<TokenStream> {
    let TokenTree::Group(group) = token else {
        return None;
    };
    let mut inside = group.stream().into_iter();
    match (inside.next()?, inside.next(), inside.next()) {
        (TokenTree::Ident(name), arguments, None) if name == "brokered_daemon" => match arguments {
            Some(TokenTree::Group(group)) => Some(group.stream()),
            None => Some(TokenStream::new()),
            Some(_) => None,
        },
        _ => None,
    }
}

/// The tokens up to the end of the first item.
fn item(tokens: &[TokenTree]) -> TokenStream {
    let end = tokens
        .iter()
        .position(|token| match token {
            TokenTree::Group(group) => group.delimiter() == proc_macro2::Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        })
        .map_or(tokens.len(), |end| end + 1);
    tokens[..end].iter().cloned().collect()
}
