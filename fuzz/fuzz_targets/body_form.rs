#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookyard_fuzz::body_form(data));
