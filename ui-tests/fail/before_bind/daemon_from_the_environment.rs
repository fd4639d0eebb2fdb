// Two errors: what is read at run time would also have to be dropped at compile time.
use brokered_runtime::{Bound, Daemon, brokered_daemon};

#[brokered_daemon(Daemon::new(match std::env::var_os("INDEXD") {
    Some(_) => "other",
    None => "indexd",
}))]
fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
