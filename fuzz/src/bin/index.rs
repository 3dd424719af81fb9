//! Fuzz target: the decoder of index files.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pagelog_fuzz::index::check(bytes));
