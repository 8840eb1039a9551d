#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code)] // each target uses its own part
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::files(data));
