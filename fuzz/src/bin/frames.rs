//! Fuzz target: the framing of connections and the request header.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pagelog_fuzz::frames::check(bytes));
