use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("indexd")]
fn main(bound: Bound) -> std::io::Result<()>
where
    u8: Copy,
{
    bound.serve(|_| Ok(()))
}
