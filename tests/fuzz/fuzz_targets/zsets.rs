#![no_main]

#[path = "../values.rs"]
#[allow(dead_code)] // each target uses its own part
mod values;

libfuzzer_sys::fuzz_target!(|data: &[u8]| values::zsets(data));
