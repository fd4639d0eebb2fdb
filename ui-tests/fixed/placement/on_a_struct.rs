use brokered_runtime::{Bound, brokered_daemon};

struct App;

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> std::io::Result<()> {
    let _ = App;
    bound.serve(|_| Ok(()))
}
