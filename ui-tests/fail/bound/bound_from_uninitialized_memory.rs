#![forbid(unsafe_code)]
#![allow(invalid_value)]

use brokered_runtime::Bound;
use std::mem::MaybeUninit;

fn main() {
    let _: Bound = unsafe { MaybeUninit::uninit().assume_init() };
}
