//! Fuzz target: the opening of a store at a checkpoint that another has written.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pagelog_fuzz::checkpoint::check(bytes));
