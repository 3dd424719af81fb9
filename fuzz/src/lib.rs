//! Fuzz targets: one function for each, which takes any bytes and panics when a promise is broken.
//!
//! The binaries beside it hand these functions to libFuzzer; `fuzz/README.md` says how they are run. Besides "no panic, no endless loop,
//! bounded memory", which the fuzzer watches over, each function states what must hold of bytes that are accepted.

pub mod batch;
pub mod bodies;
pub mod checkpoint;
pub mod entry;
pub mod frames;
pub mod front;
pub mod index;
mod input;
pub mod recovery;
