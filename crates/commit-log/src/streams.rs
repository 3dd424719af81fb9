//! The streams of a log, by id.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use pagelog_record::StreamId;

use crate::stream::Stream;

/// All streams that anybody has asked for, or that the log holds something of.
#[derive(Debug, Default)]
pub(crate) struct Streams(RwLock<HashMap<StreamId, Arc<Stream>>>);

impl Streams {
    /// The stream with this id, a new one if there is none.
    pub(crate) fn get(&self, id: StreamId) -> Arc<Stream> {
        let streams = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = streams.get(&id) {
            return Arc::clone(stream);
        }
        drop(streams);
        let mut streams = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Stream::new(id));
        Arc::clone(streams.entry(id).or_insert_with(new))
    }

    /// The stream with this id, if there is one.
    pub(crate) fn find(&self, id: StreamId) -> Option<Arc<Stream>> {
        let streams = self.0.read().unwrap_or_else(PoisonError::into_inner);
        streams.get(&id).cloned()
    }

    /// All of them, by id.
    pub(crate) fn sorted(&self) -> Arc<[Arc<Stream>]> {
        let streams = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = streams.values().cloned().collect();
        drop(streams);
        all.sort_unstable_by_key(|stream| stream.id());
        all.into()
    }

    /// Lets go of those that are forgotten and have nothing left to be written into a file.
    pub(crate) fn remove_gone(&self) {
        let mut streams = self.0.write().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|_, stream| !stream.is_gone());
    }
}
