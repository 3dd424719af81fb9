//! `log.cut`: says that a cut has begun. While it is there, the log is refused.

use std::io;

use pagelog_record::crc32c;
use pagelog_segment::{Position, Storage};

use super::{CutError, failed, remove_leftover, sync_directory};
use crate::error::OpenError;
use crate::whole;

const FILE_NAME: &str = "log.cut";
const NEW_FILE_NAME: &str = "log.cut.new";
const MAGIC: &[u8; 8] = b"PLGCUT01";
const SIZE: usize = 28;

/// Where a cut is, which is all that is needed to go on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// Where the log is cut.
    pub(super) position: Position,
    /// The segment that is replaced, the first of those that move.
    pub(super) base: Position,
}

/// Refuses a log whose cut was begun and not finished.
pub(crate) fn check_finished(storage: &dyn Storage) -> Result<(), OpenError> {
    match Marker::read(storage)? {
        None => Ok(()),
        Some(marker) => Err(OpenError::CutUnfinished {
            position: marker.position,
        }),
    }
}

impl Marker {
    /// The mark that is there, if one is.
    pub(super) fn read(storage: &dyn Storage) -> Result<Option<Marker>, OpenError> {
        let names = storage.list().map_err(read_error)?;
        if !names.iter().any(|name| name == FILE_NAME) {
            return Ok(None);
        }
        let file = storage.open(FILE_NAME).map_err(read_error)?;
        let mut bytes = [0; SIZE];
        whole::read(&*file, 0, &mut bytes).map_err(read_error)?;
        Marker::decode(&bytes)
            .map(Some)
            .ok_or(OpenError::CutDamaged)
    }

    /// Temporary name, sync, rename, directory sync. The names of all that was made before are synced first.
    pub(super) fn write(&self, storage: &dyn Storage) -> Result<(), CutError> {
        remove_leftover(storage, NEW_FILE_NAME)?;
        let file = storage
            .create(NEW_FILE_NAME, SIZE as u64)
            .map_err(failed("create", NEW_FILE_NAME))?;
        whole::write(&*file, 0, &self.encode())
            .and_then(|()| file.sync_data())
            .map_err(failed("write", NEW_FILE_NAME))?;
        sync_directory(storage)?;
        storage
            .rename(NEW_FILE_NAME, FILE_NAME)
            .map_err(failed("rename", NEW_FILE_NAME))?;
        sync_directory(storage)
    }

    pub(super) fn remove(&self, storage: &dyn Storage) -> Result<(), CutError> {
        storage
            .remove(FILE_NAME)
            .map_err(failed("remove", FILE_NAME))?;
        sync_directory(storage)
    }

    /// Where the files go that are cut off.
    pub(super) fn directory(&self) -> String {
        format!("cut-{}", self.position)
    }

    fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.position.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.base.0.to_le_bytes());
        let checksum = crc32c::of(&bytes[..24]);
        bytes[24..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; SIZE]) -> Option<Marker> {
        let (fields, checksum) = bytes.split_last_chunk::<4>()?;
        if fields[..8] != *MAGIC || u32::from_le_bytes(*checksum) != crc32c::of(fields) {
            return None;
        }
        let field = |at: usize| {
            let bytes = fields[at..].first_chunk::<8>()?;
            Some(Position(u64::from_le_bytes(*bytes)))
        };
        Some(Marker {
            position: field(8)?,
            base: field(16)?,
        })
    }
}

fn read_error(source: io::Error) -> OpenError {
    OpenError::Read {
        file: FILE_NAME.to_owned(),
        at: 0,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let marker = Marker {
            position: Position(9000),
            base: Position(8192),
        };
        let bytes = marker.encode();
        assert_eq!(Marker::decode(&bytes), Some(marker));
        assert_eq!(marker.directory(), "cut-9000");
        for at in 0..SIZE {
            let mut other = bytes;
            other[at] ^= 1;
            assert_eq!(Marker::decode(&other), None, "byte {at}");
        }
    }
}
