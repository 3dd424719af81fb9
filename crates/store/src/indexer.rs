//! The thread that brings what tells where entries lie from memory into files: when a segment is full, and when memory holds too much. Each time a segment
//! is done it takes a checkpoint.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use pagelog_commit_log::{CheckpointWriteError, IndexWork, SealError};

use crate::checkpoint::Checkpoints;
use crate::store::Store;

/// After a failure the next try comes when there is other work, or after this.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The thread `indexer`, stopped and joined on drop: after the file that it is writing.
#[derive(Debug)]
pub struct Indexer {
    store: Arc<Store>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Indexer {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system gives none.
    pub fn start(store: Arc<Store>) -> io::Result<Indexer> {
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, stopping) = (Arc::clone(&store), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("indexer".to_owned())
            .spawn(move || run(&kept, &stopping))?;
        Ok(Indexer {
            store,
            stop,
            thread: Some(thread),
        })
    }
}

/// Why a start will have to read more than it might. Nothing is lost.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The last index was not written.
    #[error(transparent)]
    Index(#[from] SealError),
    /// The last checkpoint was not written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointWriteError),
}

impl Indexer {
    /// Stops the thread, and writes the index of all that is durable and a checkpoint: for after the log was closed, so that the next start reads
    /// almost nothing.
    ///
    /// # Errors
    ///
    /// [`FinishError`]; the next start reads entries instead.
    pub fn finish(mut self) -> Result<(), FinishError> {
        self.stop();
        let log = self.store.log();
        log.index_all()?;
        if let Some(draft) = self.store.take_checkpoint() {
            log.write_checkpoint(draft)?;
        }
        Ok(())
    }

    fn stop(&mut self) {
        self.stop.store(true, SeqCst);
        self.store.log().wake_index_work();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; if it panicked, the panic was told where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(store: &Store, stop: &AtomicBool) {
    let mut checkpoints = Checkpoints::default();
    let mut failed: Option<String> = None;
    let mut warn = |error: Option<String>| {
        if let Some(error) = error.as_ref().filter(|_| error != failed) {
            tracing::warn!("{error}; trying again");
        }
        failed = error;
    };
    // After an opening that had to read everything there is none yet.
    checkpoints.due(store);
    while !stop.load(SeqCst) {
        let worked = store.log().index_next();
        if let Ok(IndexWork::Sealed(_)) = worked {
            checkpoints.due(store);
        }
        if let Err(error) = checkpoints.go_on(store) {
            // The next segment's will do as well.
            tracing::warn!("{error}: a start would read what lies before once more");
        }
        match worked {
            Ok(IndexWork::Nothing) => store.log().wait_index_work(RETRY_AFTER),
            Ok(_) => warn(None),
            Err(error) => {
                warn(Some(error.to_string()));
                store.log().wait_index_work(RETRY_AFTER);
            }
        }
    }
}
