use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound) {
    let _ = (bound, words());
}

fn words() -> usize {
    2
}

#[test]
fn there_are_words() {
    assert_eq!(words(), 2);
}
