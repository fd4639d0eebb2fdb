use brokered_runtime::{Bound, Daemon, brokered_daemon};

thread_local! {
    static DAEMON: std::cell::Cell<Daemon> = const { std::cell::Cell::new(Daemon::new("indexd")) };
}

#[brokered_daemon(DAEMON.get())]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
