//! A [`Bound`] that safe code constructs with a compiler bug, <https://github.com/rust-lang/rust/issues/25860>.

#![forbid(unsafe_code)]

use brokered_runtime::{Bound, State, brokered_daemon};

struct Index;

impl State for Index {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        others::look();
        Ok(Index)
    }
}

/// One of the two, in the same place as the other.
enum Either {
    Bound(Option<Box<Bound>>),
    Number(Option<Box<usize>>),
}

/// Fine: `'b` is the longer one, or there would be no `&'a &'b ()`.
fn shorter<'a, 'b, T: ?Sized>(_: &'a &'b (), it: &'b mut T) -> &'a mut T {
    it
}

/// A reference of any lifetime. This is the hole: the function pointer has lost the bound between the two lifetimes.
fn longer<'a, 'b, T: ?Sized>(it: &'a mut T) -> &'b mut T {
    const FOREVER: &&() = &&();
    let longer: for<'c> fn(_, &'c mut T) -> &'b mut T = shorter;
    longer(FOREVER, it)
}

fn cli() {
    let mut either = Either::Bound(None);
    let Either::Bound(bound) = &mut either else {
        return;
    };
    let bound = longer(bound);
    either = Either::Number(Some(Box::new(1)));
    std::hint::black_box(&either);
    if let Some(bound) = bound {
        // No code reads what this refers to.
        let _ = Index::load(bound);
    }
}

#[brokered_daemon("escape", cli = cli)]
fn main(_: Bound, _: Index) {}
