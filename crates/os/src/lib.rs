//! Operating-system primitives: mappings, files, transfers; the only crate with unsafe code.
