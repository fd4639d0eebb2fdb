use brokered_runtime::{Bound, brokered_daemon};

mod daemon {
    use super::*;

    pub(crate) fn serve(bound: Bound) -> std::io::Result<()> {
        bound.serve(|_| Ok(()))
    }
}

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> std::io::Result<()> {
    daemon::serve(bound)
}
