use std::collections::HashMap;

use brokered_runtime::{Bound, State, brokered_daemon};

impl State for HashMap<String, u64> {
    type Error = std::convert::Infallible;

    fn load(_: &Bound) -> Result<Self, Self::Error> {
        Ok(HashMap::new())
    }
}

#[brokered_daemon("indexd")]
fn main(bound: Bound, index: HashMap<String, u64>) -> std::io::Result<()> {
    let _ = index;
    bound.serve(|_| Ok(()))
}
