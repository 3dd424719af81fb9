//! Whole transfers over calls that may be interrupted or fall short: the one place with those loops.

use std::io;
use std::ops::Range;

use pagelog_os::Mapping;
use pagelog_segment::StorageFile;

/// Writes every byte.
pub(crate) fn write(file: &dyn StorageFile, at: u64, bytes: &[u8]) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        done += moved(file.write_at(at + done as u64, &bytes[done..]))?;
    }
    Ok(())
}

/// Writes every byte of `ranges` of `memory`, one after the other; what is left after a short write is tried again.
///
/// The ranges are used up.
pub(crate) fn write_gather(
    file: &dyn StorageFile,
    mut at: u64,
    memory: &Mapping,
    ranges: &mut Vec<Range<usize>>,
) -> io::Result<()> {
    while !ranges.is_empty() {
        let count = moved(file.write_gather_at(at, memory, ranges))?;
        at += count as u64;
        advance(ranges, count);
    }
    Ok(())
}

/// Reads until `into` is full or the file ends; says how many bytes it was.
pub(crate) fn read(file: &dyn StorageFile, at: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < into.len() {
        match file.read_at(at + done as u64, &mut into[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// How many bytes a write moved; none is an error, an interruption is none yet.
fn moved(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        other => other,
    }
}

/// Takes the first `count` bytes off the ranges.
fn advance(ranges: &mut Vec<Range<usize>>, mut count: usize) {
    let mut gone = 0;
    for range in ranges.iter_mut() {
        let taken = count.min(range.len());
        range.start += taken;
        count -= taken;
        if range.start < range.end {
            break;
        }
        gone += 1;
    }
    ranges.drain(..gone);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_used_up_from_the_front() {
        let all = vec![0..4, 8..12, 20..21];
        for (count, left) in [
            (0, vec![0..4, 8..12, 20..21]),
            (3, vec![3..4, 8..12, 20..21]),
            (4, vec![8..12, 20..21]),
            (6, vec![10..12, 20..21]),
            (9, vec![]),
        ] {
            let mut ranges = all.clone();
            advance(&mut ranges, count);
            assert_eq!(ranges, left, "after {count} bytes");
        }
    }
}
