use brokered_runtime::{Bound, brokered_daemon};

mod daemon {
    use super::*;

    #[brokered_daemon("indexd")]
    fn main(bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }

    pub fn start() -> impl std::process::Termination {
        main()
    }
}

fn main() -> impl std::process::Termination {
    println!("before bind");
    daemon::start()
}
