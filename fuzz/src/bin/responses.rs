//! Fuzz target: the body of every response, as clients read it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pagelog_fuzz::bodies::check_response(bytes));
