//! Where one entry of a stream lies.

use std::cmp::Reverse;

use pagelog_record::{Header, StreamId};

/// One entry of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) base_offset: i64,
    pub(crate) position: u64,
    /// The highest record time of this entry.
    pub(crate) time_max_ms: i64,
    pub(crate) payload_size: u32,
    pub(crate) count: u32,
}

const _: () = assert!(size_of::<Item>() == 32);

/// An item and whose it is: what index files are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keyed {
    pub(crate) stream: StreamId,
    pub(crate) item: Item,
}

impl Item {
    pub(crate) fn of(header: &Header) -> Item {
        Item {
            base_offset: header.base_offset.0,
            position: header.position,
            time_max_ms: header.record_time_max_ms,
            payload_size: header.payload_size,
            count: header.count,
        }
    }

    /// The offset after its last record.
    pub(crate) fn next(&self) -> i64 {
        self.base_offset + i64::from(self.count)
    }

    /// By offset; of two copies of an entry the newer comes first.
    pub(crate) fn order(&self) -> (i64, Reverse<u64>) {
        (self.base_offset, Reverse(self.position))
    }
}

impl Keyed {
    pub(crate) fn of(header: &Header) -> Keyed {
        Keyed {
            stream: header.stream,
            item: Item::of(header),
        }
    }

    /// Stream, then offset; of two copies of an entry the newer comes first.
    pub(crate) fn order(&self) -> (u32, i64, Reverse<u64>) {
        let (base_offset, position) = self.item.order();
        (self.stream.0, base_offset, position)
    }

    /// Whether both are the same entry, or a copy of it.
    pub(crate) fn same_entry(&self, other: &Keyed) -> bool {
        self.stream == other.stream && self.item.base_offset == other.item.base_offset
    }
}
