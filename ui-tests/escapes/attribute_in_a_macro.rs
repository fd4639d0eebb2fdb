//! A macro around the function: it is given attribute and function as tokens, and may make something else of them.

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
