use brokered_runtime::{Bound, IpcListener};

pub fn forge(listener: IpcListener) -> Bound {
    Bound::from(listener)
}

fn main() {}
