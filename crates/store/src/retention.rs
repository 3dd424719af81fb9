//! Retention: where a partition starts, by the age and the size of what it holds.
//!
//! Batches go one by one, from the oldest on, as long as each is old enough, or the rest is still large enough. A batch is as old as its latest record; but a
//! record from the future is as old as its append, so that a wrong clock keeps nothing for ever. What readers may not see yet, stays.

use pagelog_commit_log::Indexed;
use pagelog_record::Offset;

use crate::answer::Position;
use crate::clock::now_ms;
use crate::error::DeleteRecordsError;
use crate::partition::{Partition, StartMoved};
use crate::topic_config::TopicConfig;

/// How many batches are looked up at once, so that no append waits long for the stream's lock. It begins with one: most often the first is kept.
const LOOK_UP_COUNT_MAX: usize = 1024;

/// How many headers one look may read from the disk; the next look goes on.
const HEADERS_MAX: usize = 4096;

impl Partition {
    /// Deletes what `config` no longer keeps; `None` if nothing changes.
    ///
    /// # Errors
    ///
    /// As [`Partition::delete_records`].
    pub fn retain(&self, config: &TopicConfig) -> Result<Option<StartMoved>, DeleteRecordsError> {
        let (start, kept) = (self.start_offset(), self.kept_from(config, now_ms()));
        match kept > start {
            true => self.delete_records(kept).map(Some),
            false => Ok(None),
        }
    }

    /// Deletes everything whose oldest records lie below `until`, whether or not it is kept by its configuration: for a disk that is nearly full.
    ///
    /// # Errors
    ///
    /// As [`Partition::delete_records`].
    pub(crate) fn delete_below(
        &self,
        until: Position,
    ) -> Result<Option<StartMoved>, DeleteRecordsError> {
        let start = self.start_offset();
        let to = self.skip_while(start, |entry| entry.position < until);
        match to > start {
            true => self.delete_records(to).map(Some),
            false => Ok(None),
        }
    }

    /// The first offset that `config` keeps.
    fn kept_from(&self, config: &TopicConfig, now_ms: i64) -> Offset {
        let mut from = self.start_offset();
        if !config.cleanup.delete {
            return from;
        }
        if let Some(retention_ms) = config.retention_ms {
            from = self.young_from(from, now_ms.saturating_sub(retention_ms), now_ms);
        }
        if let Some(retention_bytes) = config.retention_bytes {
            from = self.within_size(from, retention_bytes);
        }
        from
    }

    /// The first batch from `from` on that is not older than `time_ms`. Only of those from the future, and of those without a time, a header is read.
    fn young_from(&self, from: Offset, time_ms: i64, now_ms: i64) -> Offset {
        let mut headers = 0;
        self.skip_while(from, |entry| {
            if (0..=now_ms).contains(&entry.time_max_ms) {
                return entry.time_max_ms < time_ms;
            }
            headers += 1;
            headers <= HEADERS_MAX && self.was_appended_before(entry, time_ms)
        })
    }

    /// What cannot be read stays.
    fn was_appended_before(&self, entry: &Indexed, time_ms: i64) -> bool {
        match self.core().log.header_at(entry.position) {
            Ok(Some(header)) => header.append_time_ms < time_ms,
            Ok(None) => false,
            Err(error) => {
                let (stream, position) = (self.stream(), entry.position);
                tracing::error!(
                    "retention cannot read stream {stream} at position {position}: {error}"
                );
                false
            }
        }
    }

    /// The first batch from `from` on without which there would be less than `size_min` bytes.
    fn within_size(&self, from: Offset, size_min: u64) -> Offset {
        let core = self.core();
        let stream = self.log_stream();
        let size = core.log.available(stream, from, core.settled(), u64::MAX);
        // What cannot be looked up stays.
        let mut spare = size.unwrap_or(0).saturating_sub(size_min);
        self.skip_while(from, |entry| {
            let size = u64::from(entry.payload_size);
            let goes = size <= spare;
            spare -= if goes { size } else { 0 };
            goes
        })
    }

    /// The offset behind the last batch from `from` on up to which `goes` held.
    fn skip_while(&self, from: Offset, mut goes: impl FnMut(&Indexed) -> bool) -> Offset {
        let core = self.core();
        let until = core.settled();
        let (mut to, mut count) = (from, 1);
        loop {
            let entries = core.log.entries(self.log_stream(), to, until, count);
            let entries = match entries {
                Ok(entries) => entries,
                Err(error) => {
                    tracing::warn!(stream = %self.stream(), %error, "retention waits");
                    return to;
                }
            };
            for entry in &entries {
                if !goes(entry) {
                    return to;
                }
                to = entry.next_offset();
            }
            if entries.len() < count {
                return to;
            }
            count = (count * 4).min(LOOK_UP_COUNT_MAX);
        }
    }
}
