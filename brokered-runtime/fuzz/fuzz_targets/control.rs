//! Whatever is asked or answered on a control endpoint, reading it does not panic, and what was read is read again as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| brokered_runtime::__fuzz::control(bytes));
