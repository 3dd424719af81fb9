//! How full the disk is, and what follows from it.
//!
//! ```text
//!   0 ─────────── warn ─────────── refuse ─────────── 100 %
//!                 told once        clients' records are refused; what frees room (deleting records and topics, carrying forward) goes on
//! ```
//!
//! So a disk is never filled to the last block by records, and there is always room to make room. Nobody is ever stopped by a signal: segments are
//! allocated in full before they are used.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use pagelog_commit_log::Log;
use pagelog_os::Space;

use crate::store::Store;

/// Measures the file system that holds the log.
pub type MeasureDisk = Arc<dyn Fn() -> io::Result<Space> + Send + Sync>;

/// How full the file system may be, in hundredths of it, whoever fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLimits {
    /// From here on there is a warning, and old segments are removed as fast as it goes.
    pub warn_percent: u8,
    /// From here on, if anywhere, the oldest records go though retention would keep them, of topics from which old records go at all.
    pub clean_percent: Option<u8>,
    /// From here on clients' records are refused.
    pub refuse_percent: u8,
}

impl Default for DiskLimits {
    /// A warning at 85, refused at 95, nothing deleted before its time.
    fn default() -> DiskLimits {
        DiskLimits {
            warn_percent: 85,
            clean_percent: None,
            refuse_percent: 95,
        }
    }
}

/// Looks at the disk now and then.
pub(crate) struct DiskWatch {
    limits: DiskLimits,
    measure: MeasureDisk,
    used_percent: u8,
    warned: bool,
    /// The disk could not be measured; told once.
    blind: bool,
}

impl DiskWatch {
    pub(crate) fn new(limits: DiskLimits, measure: MeasureDisk) -> DiskWatch {
        DiskWatch {
            limits,
            measure,
            used_percent: 0,
            warned: false,
            blind: false,
        }
    }

    /// Measures, tells what has changed, and has the store refuse records or take them again.
    pub(crate) fn look(&mut self, store: &Store) {
        match (self.measure)() {
            Ok(space) => {
                self.used_percent = space.used_percent();
                self.blind = false;
            }
            Err(error) if !self.blind => {
                self.blind = true;
                tracing::warn!("cannot measure the disk: {error}; what is known of it is old");
            }
            Err(_) => {}
        }
        self.tell_warning(&store.core().log);
        self.refuse(store);
    }

    /// Whether there is a warning at this moment.
    pub(crate) fn is_past_warning(&self) -> bool {
        self.used_percent >= self.limits.warn_percent
    }

    /// Whether records are to go before their time.
    pub(crate) fn wants_room(&self) -> bool {
        let clean = self.limits.clean_percent;
        clean.is_some_and(|clean| self.used_percent >= clean)
    }

    fn tell_warning(&mut self, log: &Log) {
        let (used, limit) = (self.used_percent, self.limits.refuse_percent);
        let past = self.is_past_warning();
        if past && !self.warned {
            tracing::warn!(
                "the disk is {used} % full; at {limit} % records are refused: keep less (retention.ms, retention.bytes), or give it more room"
            );
        }
        if past != self.warned {
            // Files that wait to be used again only take room now.
            log.keep_spares(!past);
        }
        self.warned = past;
    }

    fn refuse(&self, store: &Store) {
        let used = self.used_percent;
        let refuses = used >= self.limits.refuse_percent;
        let refused = store.core().refuses_records.swap(refuses, Relaxed);
        if refuses && !refused {
            tracing::error!("the disk is {used} % full: records are refused until there is room");
        }
        if refused && !refuses {
            tracing::info!("the disk is {used} % full: records are taken again");
        }
    }
}

impl fmt::Debug for DiskWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskWatch")
            .field("limits", &self.limits)
            .field("used_percent", &self.used_percent)
            .finish_non_exhaustive()
    }
}
