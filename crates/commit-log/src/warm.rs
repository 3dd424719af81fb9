//! From what the log is asked to make ready to what each segment is.

use std::io;
use std::sync::Arc;

use pagelog_page_cache::{Budget, PinAhead};
use pagelog_segment::{Position, Segment, SegmentsOptions, WarmAhead};

use crate::log::Log;
use crate::options::{LogOptions, Route, Warm};

/// The most of a cgroup's memory limit that is pinned: past that limit the kernel does not refuse, it kills.
const CGROUP_PERCENT: u8 = 25;

/// What the run of segments is opened with.
pub(crate) fn segments_options(options: &LogOptions) -> SegmentsOptions {
    let (warm, prewrite) = match options.route {
        Route::Mapped => (options.warm.as_ref().map(warm_ahead), 0),
        Route::Staged { .. } => (None, options.prewrite),
    };
    SegmentsOptions {
        spares_max: options.spares_max,
        warm,
        prewrite,
        ..SegmentsOptions::of_size(options.segment_size)
    }
}

fn warm_ahead(warm: &Warm) -> WarmAhead {
    WarmAhead {
        window: warm.window,
        bytes_per_second: warm.bytes_per_second,
        flush_every: warm.flush_every,
        pin: (warm.pin_window > 0).then(|| pin_ahead(warm)).flatten(),
    }
}

fn pin_ahead(warm: &Warm) -> Option<PinAhead> {
    match Budget::ask(warm.pin_max, CGROUP_PERCENT) {
        Ok(budget) => {
            if budget.size() < warm.pin_max {
                tracing::warn!(
                    "of {} bytes that were to be pinned ahead of the appenders, at most {} are ({}): raise that limit (ulimit -l, \
                     LimitMEMLOCK=, memory.max) or ask for less; going on with pages that may be evicted",
                    warm.pin_max,
                    budget.size(),
                    budget.bound()
                );
            }
            Some(PinAhead {
                budget: Arc::new(budget),
                window: warm.pin_window,
            })
        }
        Err(error) => {
            tracing::warn!(%error, "nothing is pinned: the limits are not known");
            None
        }
    }
}

/// Warms the segment that the log goes on in, from its end on.
pub(crate) fn warm_active(options: &SegmentsOptions, active: &Segment, end: Position) {
    let Some(ahead) = &options.warm else { return };
    if let Err(error) = warm(ahead, active, end) {
        let base = active.base();
        tracing::warn!(%base, %error, "a segment cannot be warmed; its pages come in when they are used");
    }
}

/// Has blocks of the segment that the log goes on in written ahead of its end. After the first entry of an opening is durable, which waits for nothing else then.
pub(crate) fn prewrite_active(log: &Log) {
    let (active, end) = {
        let tail = log.tail();
        (Arc::clone(&tail.segment), tail.position)
    };
    let at = active.file_offset(Position(end));
    active.writing(&(at..at));
    active.synced();
    if let Err(error) = active.prewrite(log.segments().options().prewrite) {
        let base = active.base();
        tracing::warn!(%base, %error, "a segment's blocks cannot be written ahead of the appends; syncs in it take longer");
    }
}

fn warm(ahead: &WarmAhead, active: &Segment, end: Position) -> io::Result<()> {
    active.warm(ahead, active.file_offset(end))
}
