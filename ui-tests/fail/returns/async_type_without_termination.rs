use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
#[tokio::main(flavor = "current_thread")]
async fn main(bound: Bound) -> String {
    let _ = bound;
    String::new()
}
