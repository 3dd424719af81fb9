//! The thread that brings what tells where entries lie from memory into files: when a segment is full, and when memory holds too much.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use pagelog_commit_log::IndexWork;

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

impl Drop for Indexer {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        self.store.log().wake_index_work();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; if it panicked, the panic was told where it happened.
            let _ = thread.join();
        }
    }
}

fn run(store: &Store, stop: &AtomicBool) {
    let mut failed: Option<String> = None;
    while !stop.load(SeqCst) {
        match store.log().index_next() {
            Ok(IndexWork::Nothing) => store.log().wait_index_work(RETRY_AFTER),
            Ok(_) => failed = None,
            Err(error) => {
                let error = error.to_string();
                if failed.as_ref() != Some(&error) {
                    tracing::warn!("{error}; trying again every second");
                    failed = Some(error);
                }
                store.log().wait_index_work(RETRY_AFTER);
            }
        }
    }
}
