//! What a log holds, gathered while it is replayed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use pagelog_commit_log::{Header, Kind};
use pagelog_segment::{Segment, file_name};
use pagelog_store::{Catalog, Listed};
use serde::Serialize;

type Refused = Box<dyn std::error::Error + Send + Sync>;

/// Segments, entries, topics and streams.
pub(super) struct Contents {
    pub(super) segments: Vec<SegmentContents>,
    pub(super) entries: Entries,
    catalog: Catalog,
    streams: BTreeMap<u32, StreamContents>,
}

/// How many entries of each kind there are.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Entries {
    pub(super) all: u64,
    pub(super) data: u64,
    pub(super) control: u64,
    pub(super) filler: u64,
}

/// One segment.
#[derive(Debug, Serialize)]
pub(super) struct SegmentContents {
    pub(super) file: String,
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) entries: u64,
    pub(super) first_epoch: Option<u32>,
    pub(super) last_epoch: Option<u32>,
}

/// A topic that there is.
#[derive(Debug, Serialize)]
pub(super) struct TopicContents {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) first_stream: u32,
    pub(super) partitions: u32,
}

/// One stream, of a topic or left of one that was deleted.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StreamContents {
    pub(super) stream: u32,
    pub(super) topic: Option<String>,
    pub(super) partition: Option<u32>,
    pub(super) first_offset: i64,
    pub(super) next_offset: i64,
    /// Without those that were moved, of which the original may be there still.
    pub(super) entries: u64,
    pub(super) moved_entries: u64,
    pub(super) records: u64,
    pub(super) payload_bytes: u64,
    pub(super) last_append_time_ms: i64,
}

impl Contents {
    pub(super) fn of(segments: &[Arc<Segment>]) -> Contents {
        let segment = |segment: &Arc<Segment>| SegmentContents {
            file: file_name(segment.base()),
            begin: segment.base().0,
            end: segment.end().0,
            entries: 0,
            first_epoch: None,
            last_epoch: None,
        };
        Contents {
            segments: segments.iter().map(segment).collect(),
            entries: Entries::default(),
            catalog: Catalog::default(),
            streams: BTreeMap::new(),
        }
    }

    /// Takes the next entry of the log; refuses what a start would refuse.
    pub(super) fn take(&mut self, entry: &pagelog_commit_log::Entry<'_>) -> Result<(), Refused> {
        self.catalog.take(entry)?;
        let header = entry.header;
        let holds = |segment: &SegmentContents| segment.end <= header.position;
        let index = self.segments.partition_point(holds);
        if let Some(segment) = self.segments.get_mut(index) {
            segment.entries += 1;
            segment.first_epoch.get_or_insert(header.epoch.0);
            segment.last_epoch = Some(header.epoch.0);
        }
        self.entries.all += 1;
        match header.kind {
            Kind::Data => {
                self.entries.data += 1;
                self.data(header);
            }
            Kind::Control => self.entries.control += 1,
            Kind::Filler => self.entries.filler += 1,
        }
        Ok(())
    }

    fn data(&mut self, header: &Header) {
        let id = header.stream.0;
        let stream = self.streams.entry(id).or_insert_with(|| {
            let first_offset = header.base_offset.0;
            StreamContents::empty(id, first_offset)
        });
        // Moved entries lie in no order of offsets.
        let next_offset = header.base_offset.0 + i64::from(header.count);
        stream.first_offset = stream.first_offset.min(header.base_offset.0);
        stream.next_offset = stream.next_offset.max(next_offset);
        if header.moved {
            stream.moved_entries += 1;
            return;
        }
        stream.entries += 1;
        stream.records += u64::from(header.count);
        stream.payload_bytes += u64::from(header.payload_size);
        stream.last_append_time_ms = header.append_time_ms;
    }

    pub(super) fn topics(&self) -> Vec<TopicContents> {
        let topic = |topic: Listed| TopicContents {
            name: topic.name.to_string(),
            id: topic.id.to_string(),
            first_stream: topic.streams.first().map_or(0, |run| run.start),
            partitions: topic.streams.iter().map(|run| run.end - run.start).sum(),
        };
        self.catalog.topics().into_iter().map(topic).collect()
    }

    /// The streams in order: those of topics, empty ones too, and those that entries are left of.
    pub(super) fn streams(&self) -> Vec<StreamContents> {
        let mut streams = self.streams.clone();
        for topic in self.catalog.topics() {
            for (partition, id) in topic.streams.iter().cloned().flatten().enumerate() {
                let stream = streams.entry(id);
                let stream = stream.or_insert_with(|| StreamContents::empty(id, 0));
                stream.topic = Some(topic.name.to_string());
                stream.partition = Some(partition as u32);
            }
        }
        streams.into_values().collect()
    }
}

impl StreamContents {
    fn empty(stream: u32, first_offset: i64) -> StreamContents {
        StreamContents {
            stream,
            topic: None,
            partition: None,
            first_offset,
            next_offset: first_offset,
            entries: 0,
            moved_entries: 0,
            records: 0,
            payload_bytes: 0,
            last_append_time_ms: -1,
        }
    }
}

/// The names of a log's streams.
#[derive(Default)]
pub(super) struct StreamNames {
    /// Streams that were given together, the partition of the first of them, and their topic.
    runs: Vec<(Range<u32>, u32, String)>,
}

impl StreamNames {
    pub(super) fn of(catalog: &Catalog) -> StreamNames {
        let mut runs = Vec::new();
        for topic in catalog.topics() {
            let mut partition = 0;
            for run in topic.streams {
                let count = run.end - run.start;
                runs.push((run, partition, topic.name.to_string()));
                partition += count;
            }
        }
        StreamNames { runs }
    }

    /// The stream's topic and partition, or that it has none any more.
    pub(super) fn name(&self, stream: u32) -> String {
        match self.runs.iter().find(|(run, ..)| run.contains(&stream)) {
            Some((run, first, name)) => {
                format!("{name}, partition {}", first + (stream - run.start))
            }
            None => "of no topic that there is".to_owned(),
        }
    }
}
