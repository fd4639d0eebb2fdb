use brokered_runtime::{Bound, brokered_daemon};

#[tokio::main(flavor = "current_thread")]
#[brokered_daemon("indexd")]
async fn main(bound: Bound) -> std::io::Result<()> {
    bound.serve(|_| Ok(()))
}
