#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code)] // each target uses its own part
mod checks;
#[path = "../libraries.rs"]
#[allow(dead_code)] // each target uses its own part
mod libraries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| libraries::cjson(data));
