//! Builds, checks, tests, fuzzes, benches and demonstrates Pagelog.

fn main() {}
