use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> std::io::Result<()> {
    #![unsafe(export_name = "main")]
    bound.serve(|_| Ok(()))
}
