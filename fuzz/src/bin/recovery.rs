//! Fuzz target: the opening of a log from damaged files.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pagelog_fuzz::recovery::check(bytes));
