//! Fuzz target: the body of every request.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pagelog_fuzz::bodies::check_request(bytes));
