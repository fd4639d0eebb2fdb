use brokered_runtime::{Bound, Daemon, State, brokered_daemon};

trait Named: State {
    const DAEMON: Daemon;
}

#[brokered_daemon(S::DAEMON)]
fn main<S: Named>(bound: Bound, state: S) -> std::io::Result<()> {
    let _ = state;
    bound.serve(|_| Ok(()))
}
