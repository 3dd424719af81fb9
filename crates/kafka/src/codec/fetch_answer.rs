//! The Fetch answer, laid round records that stay where they are.
//!
//! Only the bytes between the records are made; beside them come the *cuts*, one per partition, where its records belong:
//!
//! ```text
//! bytes[..cuts[0]] | records 0 | bytes[cuts[0]..cuts[1]] | records 1 | … | bytes[cuts[n-1]..]
//! ```
//!
//! The size in front counts the records too, so their number of bytes must be known, and must hold, before anything is sent.

use uuid::Uuid;

use super::fetch::{AbortedTransaction, EpochEndOffset};
use super::frame::{SIZE_PREFIX, begin_response};
use super::produce::LeaderIdAndEpoch;
use super::{ApiKey, Encoding, ErrorCode, Field, Writer};

/// A Fetch answer without its records.
#[derive(Debug, Clone, Default)]
pub struct FetchAnswer<'a> {
    /// How long the client should hold back.
    pub throttle_ms: i32,
    /// What is wrong with the request as a whole.
    pub error: ErrorCode,
    /// The fetch session; 0 says that there is none, and every client then keeps sending full requests (KIP-227).
    pub session_id: i32,
    /// By topic.
    pub topics: Vec<FetchAnswerTopic<'a>>,
}

/// The part of one topic.
#[derive(Debug, Clone, Default)]
pub struct FetchAnswerTopic<'a> {
    /// The topic's name, written up to version 12.
    pub name: &'a str,
    /// The topic's id, written from version 13 on.
    pub topic_id: Uuid,
    /// By partition.
    pub partitions: Vec<FetchAnswerPartition>,
}

/// The part of one partition. The default is that of a partition with an error: no offsets, no records.
#[derive(Debug, Clone)]
pub struct FetchAnswerPartition {
    /// The partition's number.
    pub index: i32,
    /// What is wrong with it.
    pub error: ErrorCode,
    /// The first offset that is not visible yet; -1 with an error.
    pub high_watermark: i64,
    /// The first offset of the first open transaction, or the high watermark; -1 with an error.
    pub last_stable_offset: i64,
    /// The first offset of the partition, or -1.
    pub log_start_offset: i64,
    /// Where the log of the client and this one part; the default is not written.
    pub diverging_epoch: EpochEndOffset,
    /// The leader, when the client knows another; the default is not written.
    pub current_leader: LeaderIdAndEpoch,
    /// Aborted transactions among the records, by rising first offset; None unless only committed records were asked for.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// A replica that is nearer, or -1.
    pub preferred_read_replica: i32,
    /// Bytes of records that will lie at the partition's cut. Zero is written as empty, not as null, on which old clients crash.
    pub records_size: usize,
}

impl Default for FetchAnswerPartition {
    fn default() -> Self {
        Self {
            index: 0,
            error: ErrorCode::NONE,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            aborted_transactions: None,
            preferred_read_replica: -1,
            records_size: 0,
        }
    }
}

/// The bytes of an answer round its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchFrame {
    /// Size, header and body without records.
    pub bytes: Vec<u8>,
    /// For each partition, in the order of the answer, the index in `bytes` before which its records belong; never falling.
    pub cuts: Vec<usize>,
}

/// The records of an answer and what surrounds them are more than a frame can hold, which is 2 GiB less one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a Fetch answer of {size} bytes does not fit a frame; fetch.max.bytes of the request bounds it"
)]
pub struct AnswerTooLarge {
    /// The frame's bytes, its size not counted.
    pub size: u64,
}

impl FetchAnswer<'_> {
    /// Encodes what surrounds the records, for a version of [`ApiKey::served`].
    ///
    /// # Errors
    /// When the frame would be too large.
    pub fn encode(&self, version: i16, correlation_id: i32) -> Result<FetchFrame, AnswerTooLarge> {
        let records_size = self.records_size();
        checked_size(records_size)?;
        let mut bytes = Vec::with_capacity(64 + 64 * self.topics.len());
        let mut cuts = Vec::new();
        let mut writer = begin_response(&mut bytes, ApiKey::Fetch, version, correlation_id);
        self.body(&mut writer, version, &mut cuts);
        let size = checked_size(records_size + (bytes.len() - SIZE_PREFIX) as u64)?;
        bytes[..SIZE_PREFIX].copy_from_slice(&size.to_be_bytes());
        Ok(FetchFrame { bytes, cuts })
    }

    fn records_size(&self) -> u64 {
        let partitions = self.topics.iter().flat_map(|topic| &topic.partitions);
        partitions
            .map(|partition| partition.records_size as u64)
            .sum()
    }

    fn body(&self, writer: &mut Writer<'_>, version: i16, cuts: &mut Vec<usize>) {
        writer.i32(self.throttle_ms);
        if version >= 7 {
            writer.i16(self.error.0);
            writer.i32(self.session_id);
        }
        writer.nullable_count(Some(self.topics.len()));
        for topic in &self.topics {
            topic.encode(writer, version, cuts);
        }
        writer.no_tags();
    }
}

impl FetchAnswerTopic<'_> {
    fn encode(&self, writer: &mut Writer<'_>, version: i16, cuts: &mut Vec<usize>) {
        if version >= 13 {
            writer.uuid(self.topic_id);
        } else {
            writer.string(self.name);
        }
        writer.nullable_count(Some(self.partitions.len()));
        for partition in &self.partitions {
            partition.before_records(writer, version);
            cuts.push(writer.position());
            partition.after_records(writer, version);
        }
        writer.no_tags();
    }
}

impl FetchAnswerPartition {
    fn before_records(&self, writer: &mut Writer<'_>, version: i16) {
        writer.i32(self.index);
        writer.i16(self.error.0);
        writer.i64(self.high_watermark);
        writer.i64(self.last_stable_offset);
        if version >= 5 {
            writer.i64(self.log_start_offset);
        }
        self.aborted_transactions.encode(writer, version);
        if version >= 11 {
            writer.i32(self.preferred_read_replica);
        }
        writer.nullable_count(Some(self.records_size));
    }

    fn after_records(&self, writer: &mut Writer<'_>, version: i16) {
        if writer.encoding() == Encoding::Classic {
            return;
        }
        let diverges = self.diverging_epoch != EpochEndOffset::default();
        let names_leader = self.current_leader != LeaderIdAndEpoch::default();
        writer.uvarint(u32::from(diverges) + u32::from(names_leader));
        if diverges {
            writer.tagged(0, |writer| self.diverging_epoch.encode(writer, version));
        }
        if names_leader {
            writer.tagged(1, |writer| self.current_leader.encode(writer, version));
        }
    }
}

fn checked_size(size: u64) -> Result<i32, AnswerTooLarge> {
    // The length of the records takes one more in its compact form.
    match i32::try_from(size) {
        Ok(fits) if fits < i32::MAX => Ok(fits),
        _ => Err(AnswerTooLarge { size }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::fetch::{FetchPartitionResponse, FetchResponse, FetchTopicResponse};
    use crate::codec::{decode_response, encode_response};

    const RECORDS: [&[u8]; 3] = [b"first records", b"", b"third"];

    fn partition(index: usize) -> FetchAnswerPartition {
        let mut partition = FetchAnswerPartition {
            index: index as i32,
            high_watermark: 40,
            last_stable_offset: 39,
            log_start_offset: 3,
            records_size: RECORDS[index].len(),
            ..Default::default()
        };
        if index == 2 {
            partition.diverging_epoch = EpochEndOffset {
                epoch: 4,
                end_offset: 9,
            };
            partition.current_leader = LeaderIdAndEpoch {
                leader_id: 1,
                leader_epoch: 5,
            };
            let aborted = AbortedTransaction {
                producer_id: 7,
                first_offset: 8,
            };
            partition.aborted_transactions = Some(vec![aborted]);
        }
        partition
    }

    fn answer() -> FetchAnswer<'static> {
        let topic_id = Uuid::from_u128(5);
        let topics = vec![
            FetchAnswerTopic {
                name: "a",
                topic_id,
                partitions: vec![partition(0), partition(1)],
            },
            FetchAnswerTopic {
                name: "b",
                topic_id,
                partitions: vec![partition(2)],
            },
        ];
        FetchAnswer {
            topics,
            ..Default::default()
        }
    }

    fn woven(frame: &FetchFrame) -> Vec<u8> {
        let mut whole = Vec::new();
        let mut from = 0;
        for (cut, records) in frame.cuts.iter().zip(RECORDS) {
            whole.extend_from_slice(&frame.bytes[from..*cut]);
            whole.extend_from_slice(records);
            from = *cut;
        }
        whole.extend_from_slice(&frame.bytes[from..]);
        whole
    }

    /// The same answer, written by the schema: the plain path that this one must equal.
    fn reference(answer: &FetchAnswer<'static>, version: i16) -> Vec<u8> {
        let mut records = RECORDS.iter();
        let topics = answer.topics.iter().map(|topic| FetchTopicResponse {
            name: topic.name,
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| FetchPartitionResponse {
                    index: partition.index,
                    error: partition.error,
                    high_watermark: partition.high_watermark,
                    last_stable_offset: partition.last_stable_offset,
                    log_start_offset: partition.log_start_offset,
                    diverging_epoch: partition.diverging_epoch.clone(),
                    current_leader: partition.current_leader.clone(),
                    aborted_transactions: partition.aborted_transactions.clone(),
                    preferred_read_replica: partition.preferred_read_replica,
                    records: records.next().copied(),
                    ..Default::default()
                })
                .collect(),
        });
        let body = FetchResponse {
            topics: topics.collect(),
            ..Default::default()
        };
        encode_response(version, 77, &body)
    }

    #[test]
    fn the_woven_frame_equals_the_plain_one_in_every_version() {
        for version in ApiKey::Fetch.served() {
            let frame = answer().encode(version, 77).unwrap();
            assert_eq!(frame.cuts.len(), 3);
            let whole = woven(&frame);
            assert_eq!(whole, reference(&answer(), version), "version {version}");
            let (correlation_id, body) =
                decode_response::<FetchResponse<'_>>(&whole[4..], version).unwrap();
            assert_eq!((correlation_id, body.topics.len()), (77, 2));
            assert_eq!(body.topics[1].partitions[0].records, Some(RECORDS[2]));
        }
    }

    #[test]
    fn three_bytes_follow_the_last_records_of_a_flexible_answer() {
        let mut small = answer();
        small.topics.truncate(1);
        small.topics[0].partitions.truncate(1);
        let frame = small.encode(13, 1).unwrap();
        // 72 bytes and the length of the records before, three empty tag buffers after.
        assert_eq!(frame.cuts, [72 + 1]);
        assert_eq!(frame.bytes[frame.cuts[0]..], [0, 0, 0]);
    }

    #[test]
    fn what_no_frame_can_hold_is_refused() {
        let mut large = answer();
        for partition in large
            .topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions)
        {
            partition.records_size = i32::MAX as usize / 2;
        }
        assert!(large.encode(12, 1).is_err());
        large.topics.truncate(1);
        large.topics[0].partitions[0].records_size = usize::MAX / 4;
        assert!(large.encode(4, 1).is_err());
    }
}
