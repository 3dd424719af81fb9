//! Record batches of format 2, the only one that current clients write: their header, their records, their compression.
