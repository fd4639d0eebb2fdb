use brokered_runtime::{Bound, brokered_daemon};

#[brokered_daemon("returns-a-result")]
fn main(bound: Bound) -> Result<(), Box<dyn std::error::Error>> {
    let _: u8 = bound.instance().daemon().contract_number().try_into()?;
    Ok(())
}
