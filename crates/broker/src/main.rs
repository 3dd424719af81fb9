//! The pagelog broker: configuration, wiring, command line.

fn main() {}
