//! A data directory that is looked at, perhaps while a broker uses it.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pagelog_commit_log::{OpenError, Recovery, Replayer};
use pagelog_segment::{Holder, ReadOnlyDirectory};

use crate::data;
use crate::exit::Failure;

/// The directory and who has it.
#[derive(Debug)]
pub(super) struct Looking {
    pub(super) path: PathBuf,
    pub(super) directory: ReadOnlyDirectory,
    pub(super) in_use_by: Option<u32>,
}

impl Looking {
    pub(super) fn at(path: &Path) -> Result<Looking, Failure> {
        let directory = data::look(path)?;
        let in_use_by = match directory.holder() {
            Holder::Process(process) => Some(process),
            Holder::Nobody => None,
        };
        Ok(Looking {
            path: path.to_owned(),
            directory,
            in_use_by,
        })
    }

    /// Finds the log.
    pub(super) fn replayer(&self) -> Result<Replayer, Failure> {
        Replayer::open(&self.directory).map_err(|error| self.refused(&error))
    }

    pub(super) fn refused(&self, error: &OpenError) -> Failure {
        data::refused(&self.path, error)
    }

    /// A remark when somebody else may change what is read.
    pub(super) fn in_use(&self) -> Option<String> {
        let process = self.in_use_by?;
        Some(format!(
            "in use by process {process}: it is only read, and what that process does meanwhile is seen or not"
        ))
    }
}

/// The log's id as Kafka clients know it.
pub(super) fn id_text(id: [u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(id)
}

/// How the log ends, as the end of a sentence.
pub(super) fn end_text(recovery: &Recovery, in_use: bool) -> String {
    let end = recovery.end;
    match &recovery.cut {
        _ if in_use => format!("ended at position {end} when it was read"),
        Some(torn) => format!(
            "ends at position {end}, where a torn tail begins ({torn}): the next start cuts that off"
        ),
        None if recovery.entries == 0 => "holds nothing yet".to_owned(),
        None if recovery.clean => format!("ends at position {end} and was closed cleanly"),
        None => format!("ends at position {end} and was not closed cleanly"),
    }
}
