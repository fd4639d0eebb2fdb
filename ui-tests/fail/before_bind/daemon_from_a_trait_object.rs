use brokered_runtime::{Bound, Daemon, brokered_daemon};

trait Make {
    fn make(&self) -> Daemon;
}

struct Maker;

impl Make for Maker {
    fn make(&self) -> Daemon {
        println!("before bind");
        Daemon::new("indexd")
    }
}

#[brokered_daemon((&Maker as &dyn Make).make())]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
