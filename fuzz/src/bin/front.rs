//! Fuzz target: the front of a Produce request, of which the rest is to land.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pagelog_fuzz::front::check(bytes));
