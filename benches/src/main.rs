//! Pagelog's benchmarks, each beside its own limit.

fn main() {}
