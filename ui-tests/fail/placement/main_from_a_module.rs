use brokered_runtime::{Bound, brokered_daemon};

mod daemon {
    use super::*;

    pub fn start() {
        println!("before bind");
        let _ = main();
    }

    #[brokered_daemon("indexd")]
    fn main(bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }
}

use daemon::start as main;
