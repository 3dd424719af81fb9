//! The opening of a store at a checkpoint that another has written: with checksums that are right, and anything else wrong.
//!
//! A checksum keeps a fuzzer out, so it is made right again behind each change.

use pagelog_record::crc32c;

use crate::input::Input;
use crate::recovery::{open, original, storage};

/// Where the header's checksum lies, and where the rest begins (docs/format.md).
const HEADER_CHECKSUM_AT: usize = 60;
const BODY_AT: usize = 64;
const EPOCH_AT: usize = 40;
const TOLD_SIZE_AT: usize = 48;
/// Changes to one checkpoint; more make an input slower and not more telling.
const CHANGES_MAX: usize = 16;

/// Changes the checkpoint of a small log as `bytes` say, and opens it twice.
///
/// # Panics
/// When the second opening does not find what the first one left.
pub fn check(bytes: &[u8]) {
    let files = original();
    let is_checkpoint = |(name, _): &&(String, Vec<u8>)| name.ends_with(".checkpoint");
    let found = files.iter().find(is_checkpoint);
    let (name, content) = found.expect("the log has one");
    let mut input = Input::new(bytes);
    let mut changed = content.clone();
    for _ in 0..CHANGES_MAX {
        if !input.is_empty() {
            change(&mut changed, &mut input);
        }
    }
    seal(&mut changed);
    let storage = storage(files);
    storage.truncate(name, changed.len() as u64);
    storage.overwrite(name, 0, &changed);
    let Some(first) = open(&storage) else { return };
    let second = open(&storage).expect("what could be opened can be opened again");
    assert!(
        second >= first,
        "a log up to {first} became one up to {second}"
    );
}

/// Bytes are replaced, put in between or taken out.
fn change(content: &mut Vec<u8>, input: &mut Input<'_>) {
    let kind = input.u8();
    let at = usize::from(input.u16()) % content.len();
    let size = usize::from(input.u8());
    match kind % 3 {
        0 => {
            let bytes = input.take(size.min(content.len() - at));
            content[at..at + bytes.len()].copy_from_slice(bytes);
        }
        1 => {
            let bytes = input.take(size);
            content.splice(at..at, bytes.iter().copied());
        }
        _ => {
            let end = (at + size).min(content.len());
            content.drain(at..end);
        }
    }
    content.resize(content.len().max(BODY_AT + 4), 0);
}

/// Sizes and checksums as they have to be. The last epochs can be opened once and not again, which is right and would end the check.
fn seal(content: &mut [u8]) {
    content[EPOCH_AT + 3] &= 0x7f;
    let streams = u32::from_le_bytes([content[44], content[45], content[46], content[47]]);
    let streams_size = u64::from(streams) * 28;
    let body_size = (content.len() - BODY_AT - 4) as u64;
    if let Some(told_size) = body_size.checked_sub(streams_size) {
        content[TOLD_SIZE_AT..TOLD_SIZE_AT + 8].copy_from_slice(&told_size.to_le_bytes());
    }
    let checksum = crc32c::of(&content[..HEADER_CHECKSUM_AT]);
    content[HEADER_CHECKSUM_AT..BODY_AT].copy_from_slice(&checksum.to_le_bytes());
    let end = content.len() - 4;
    let checksum = crc32c::of(&content[BODY_AT..end]);
    content[end..].copy_from_slice(&checksum.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else nothing behind the checksums would ever be met.
    #[test]
    fn a_checkpoint_that_is_sealed_again_is_what_it_was() {
        let files = original();
        let found = files.iter().find(|(name, _)| name.ends_with(".checkpoint"));
        let (_, content) = found.expect("the log has one");
        let mut sealed = content.clone();
        seal(&mut sealed);
        assert!(sealed == *content);
    }
}
