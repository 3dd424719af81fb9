//! `log.meta`: the log's id and secret, written once before the first segment.

use std::io;

use pagelog_record::{SECRET_SIZE, crc32c};
use pagelog_segment::{Storage, base_of};

use crate::whole;

const FILE_NAME: &str = "log.meta";
const NEW_FILE_NAME: &str = "log.meta.new";
const MAGIC: &[u8; 8] = b"PLGMETA1";
const SIZE: usize = 48;

/// Who this log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) id: [u8; 16],
    pub(crate) secret: [u8; SECRET_SIZE],
}

/// Why the log's identity is not known.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// Segments are there and the file that is needed to verify them is not.
    #[error(
        "{FILE_NAME} is missing beside {segments} segments: without it they cannot be verified; restore it from a backup, or begin with an empty directory"
    )]
    Missing {
        /// How many segments there are.
        segments: usize,
    },
    /// The file is not what was written.
    #[error("{FILE_NAME} is damaged ({reason}): restore it from a backup")]
    Damaged {
        /// What is wrong.
        reason: &'static str,
    },
    /// Reading or writing it failed.
    #[error("cannot {activity} {FILE_NAME}: {source}")]
    Io {
        /// What was tried.
        activity: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

impl Meta {
    /// Reads the identity, or makes one if the directory holds no segments.
    pub(crate) fn open_or_create(storage: &dyn Storage) -> Result<Meta, MetaError> {
        let names = storage.list().map_err(io_error("look for"))?;
        if let Some(meta) = Meta::find(storage, &names)? {
            return Ok(meta);
        }
        if names.iter().any(|name| name == NEW_FILE_NAME) {
            storage
                .remove(NEW_FILE_NAME)
                .map_err(io_error("remove the unfinished"))?;
        }
        Meta::create(storage)
    }

    /// Reads the identity; changes nothing. `None` if there is neither that nor a segment.
    pub(crate) fn open(storage: &dyn Storage) -> Result<Option<Meta>, MetaError> {
        Meta::find(storage, &storage.list().map_err(io_error("look for"))?)
    }

    fn find(storage: &dyn Storage, names: &[String]) -> Result<Option<Meta>, MetaError> {
        if names.iter().any(|name| name == FILE_NAME) {
            return Meta::read(storage).map(Some);
        }
        match names.iter().filter(|name| base_of(name).is_some()).count() {
            0 => Ok(None),
            segments => Err(MetaError::Missing { segments }),
        }
    }

    fn create(storage: &dyn Storage) -> Result<Meta, MetaError> {
        let mut meta = Meta {
            id: [0; 16],
            secret: [0; SECRET_SIZE],
        };
        getrandom::fill(&mut meta.id).map_err(MetaError::Random)?;
        getrandom::fill(&mut meta.secret).map_err(MetaError::Random)?;
        // RFC 9562, section 5.4: version 4, variant 10.
        meta.id[6] = meta.id[6] & 0x0f | 0x40;
        meta.id[8] = meta.id[8] & 0x3f | 0x80;
        meta.write(storage).map_err(io_error("write"))?;
        Ok(meta)
    }

    /// Temporary name, sync, rename, directory sync: the file is there as a whole or not at all.
    fn write(&self, storage: &dyn Storage) -> io::Result<()> {
        let file = storage.create(NEW_FILE_NAME, SIZE as u64)?;
        whole::write(&*file, 0, &self.encode())?;
        file.sync_data()?;
        storage.rename(NEW_FILE_NAME, FILE_NAME)?;
        storage.sync_directory()
    }

    fn read(storage: &dyn Storage) -> Result<Meta, MetaError> {
        let file = storage.open(FILE_NAME).map_err(io_error("open"))?;
        let mut bytes = [0; SIZE];
        let read = whole::read(&*file, 0, &mut bytes).map_err(io_error("read"))?;
        if read < SIZE {
            return Err(MetaError::Damaged {
                reason: "it is shorter than 48 bytes",
            });
        }
        Meta::decode(&bytes)
    }

    fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..24].copy_from_slice(&self.id);
        bytes[24..40].copy_from_slice(&self.secret);
        let checksum = crc32c::of(&bytes[..44]);
        bytes[44..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; SIZE]) -> Result<Meta, MetaError> {
        if bytes[..8] != *MAGIC {
            return Err(MetaError::Damaged {
                reason: "it does not begin with PLGMETA1",
            });
        }
        if bytes[44..] != crc32c::of(&bytes[..44]).to_le_bytes() {
            return Err(MetaError::Damaged {
                reason: "its checksum does not fit",
            });
        }
        let mut meta = Meta {
            id: [0; 16],
            secret: [0; SECRET_SIZE],
        };
        meta.id.copy_from_slice(&bytes[8..24]);
        meta.secret.copy_from_slice(&bytes[24..40]);
        Ok(meta)
    }
}

fn io_error(activity: &'static str) -> impl Fn(io::Error) -> MetaError {
    move |source| MetaError::Io { activity, source }
}
