use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("body")]
fn main(bound: Bound) -> std::io::Result<()> {
    let words: u32 = "3".parse()?;
    drop((bound, words));
    Ok(())
}
