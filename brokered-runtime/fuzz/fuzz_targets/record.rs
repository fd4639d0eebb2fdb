//! Whatever stands in a record, reading it does not panic, and what was read is read again as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| brokered_runtime::__fuzz::record(bytes));
