use brokered_runtime::{Bound, brokered_daemon};

macro_rules! daemon {
    ($name:literal, $(#[$attribute:meta])* $vis:vis $bound:ident: $ty:ty, $body:block) => {
        #[brokered_daemon($name)]
        $(#[$attribute])*
        $vis fn main($bound: $ty) $body
    };
}

daemon!("made-by-a-macro", #[inline(never)] bound: Bound, { drop(bound) });
