//! Fuzz target: the decoder of log entries.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pagelog_fuzz::entry::check(bytes));
