//! Fuzz target: the batch validator.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pagelog_fuzz::batch::check(bytes));
