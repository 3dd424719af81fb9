//! The limit of recovery: reading a log of the same size once, from the page cache, and its checksum.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use pagelog_record::crc32c;

use crate::sample::Sample;

/// Reads the first `size` bytes of `path` and checksums them.
///
/// # Errors
/// Where the file cannot be read.
pub(crate) fn read_and_checksum(path: &Path, size: u64) -> Result<Sample> {
    let mut sample = Sample::empty();
    let mut buffer = vec![0; 256 << 10];
    let started = Instant::now();
    let mut file = File::open(path)?.take(size);
    let mut checksum = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        checksum = crc32c::append(checksum, &buffer[..count]);
        sample.bytes += count as u64;
    }
    std::hint::black_box(checksum);
    sample.operations = 1;
    sample.wall = started.elapsed();
    Ok(sample)
}
