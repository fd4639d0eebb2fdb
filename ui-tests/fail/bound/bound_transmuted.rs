#![forbid(unsafe_code)]

use brokered_runtime::Bound;

fn main() {
    let _: Bound = std::mem::transmute([0_u8; size_of::<Bound>()]);
}
