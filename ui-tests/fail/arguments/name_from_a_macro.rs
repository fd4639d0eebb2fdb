use brokered_runtime::{Bound, brokered_daemon};

macro_rules! daemon {
    ($name:expr, $bound:ident: $ty:ty) => {
        #[brokered_daemon($name)]
        fn main($bound: $ty) -> std::io::Result<()> {
            $bound.serve(|_| Ok(()))
        }
    };
}

daemon!("Index Daemon", bound: Bound);
