#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| projsync_fuzz::policy::run(input));
