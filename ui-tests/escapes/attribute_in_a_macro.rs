//! A macro around the function. It receives the attribute and the function as tokens, and may make others of them.

#![forbid(unsafe_code)]

macro_rules! start {
    (#[$attribute:meta] fn $main:ident($bound:ident: $ty:ty) {}) => {
        fn $main() {
            others::look();
        }
    };
}

start! {
    #[brokered_daemon("escape")]
    fn main(_bound: Bound) {}
}
