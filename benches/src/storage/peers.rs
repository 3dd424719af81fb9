//! Write-ahead logs of others, in the same harness: a record is durable when the call comes back.

use std::path::Path;

use anyhow::Result;
use okaywal::{LogVoid, WriteAheadLog};
use raft_engine::{Config, Engine, LogBatch, ReadableSize};
use tempfile::TempDir;

/// A peer on a directory of its own, which goes with it.
pub(super) struct Peer {
    pub(super) name: &'static str,
    log: Kind,
    _directory: TempDir,
}

enum Kind {
    RaftEngine(Box<Engine>),
    OkayWal(WriteAheadLog),
}

/// All of them, each below `parent`.
///
/// # Errors
/// One that cannot be started.
pub(super) fn all(parent: &Path) -> Result<Vec<Peer>> {
    Ok(vec![raft_engine(parent)?, okaywal(parent)?])
}

fn raft_engine(parent: &Path) -> Result<Peer> {
    let directory = tempfile::Builder::new()
        .prefix("peer-")
        .tempdir_in(parent)?;
    let config = Config {
        dir: directory.path().to_string_lossy().into_owned(),
        // Its purge is its user's business; nothing is purged within a run.
        purge_threshold: ReadableSize::gb(64),
        ..Config::default()
    };
    Ok(Peer {
        name: "raft-engine",
        log: Kind::RaftEngine(Box::new(Engine::open(config)?)),
        _directory: directory,
    })
}

fn okaywal(parent: &Path) -> Result<Peer> {
    let directory = tempfile::Builder::new()
        .prefix("peer-")
        .tempdir_in(parent)?;
    Ok(Peer {
        name: "okaywal",
        log: Kind::OkayWal(WriteAheadLog::recover(directory.path(), LogVoid)?),
        _directory: directory,
    })
}

impl Peer {
    /// Appends one record of writer `number` and comes back when it is durable.
    ///
    /// raft-engine keeps values in memory until they are purged: each writer overwrites one key, so that its memory stays small.
    ///
    /// # Errors
    /// What the peer says.
    pub(super) fn append(&self, number: usize, payload: &[u8]) -> Result<()> {
        match &self.log {
            Kind::RaftEngine(engine) => {
                let mut batch = LogBatch::default();
                batch.put(number as u64 + 1, b"k".to_vec(), payload.to_vec())?;
                engine.write(&mut batch, true)?;
            }
            Kind::OkayWal(log) => {
                let mut entry = log.begin_entry()?;
                entry.write_chunk(payload)?;
                entry.commit()?;
            }
        }
        Ok(())
    }
}
