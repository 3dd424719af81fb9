//! The front of a Produce request whose records have not arrived yet: enough to know where they will go.
//!
//! ```text
//!   header │ transaction, acks, timeout │ topic, partition, size │ records …                        │ tags: three zeros
//!   └───────────────────────── the front ───────────────────────────┘ early
//! ```
//!
//! Only a request for one partition is looked at, which is what producers send when their batches are large. Everything else, and
//! whatever is not as it should be, is left to the decoder of the whole.

use super::{ApiKey, Encoding, Reader, RequestHeader};

/// The versions that name a topic by its name and may name a transaction.
const VERSIONS: std::ops::RangeInclusive<i16> = 3..=12;

/// The most bytes that follow the records: empty tag buffers of the partition, of the topic and of the request.
const TAGS_SIZE: usize = 3;

/// What the front of a request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProduceFront<'a> {
    /// The request's header.
    pub header: RequestHeader<'a>,
    /// As in the request.
    pub acks: i16,
    /// As in the request.
    pub timeout_ms: i32,
    /// The one topic.
    pub topic: &'a str,
    /// Its one partition.
    pub partition: i32,
    /// The size of the records in bytes.
    pub records_size: usize,
    /// The first bytes of the records: all of the front that is left.
    pub early: &'a [u8],
    /// How many bytes follow the records; all of them have to be zero.
    pub behind_size: usize,
}

impl<'a> ProduceFront<'a> {
    /// Reads the front of a frame of `size` bytes in all. `None` if it is not that of a Produce request without a transaction for one
    /// partition of one topic, or if too little of it is there.
    pub fn read(front: &'a [u8], size: usize) -> Option<ProduceFront<'a>> {
        let (header, mut body) = RequestHeader::decode(front).ok()?;
        if header.api != ApiKey::Produce
            || !VERSIONS.contains(&header.version)
            || !ApiKey::Produce.served().contains(&header.version)
        {
            return None;
        }
        if body.nullable_string().ok()?.is_some() {
            return None;
        }
        let (acks, timeout_ms) = (body.i16().ok()?, body.i32().ok()?);
        one(&mut body)?;
        let topic = body.string().ok()?;
        one(&mut body)?;
        let partition = body.i32().ok()?;
        let records_size = length(&mut body)?;
        let early = body.remaining();
        let rest = (size - front.len().min(size)).checked_add(early.len())?;
        let behind_size = rest.checked_sub(records_size)?;
        let whole = match body.encoding() {
            Encoding::Classic => behind_size == 0,
            Encoding::Flexible => behind_size == TAGS_SIZE,
        };
        (whole && early.len() <= records_size).then_some(ProduceFront {
            header,
            acks,
            timeout_ms,
            topic,
            partition,
            records_size,
            early,
            behind_size,
        })
    }
}

/// The count of an array, if it is one.
fn one(reader: &mut Reader<'_>) -> Option<()> {
    (length(reader)? == 1).then_some(())
}

/// The length of bytes or the count of an array, which need not be there yet.
fn length(reader: &mut Reader<'_>) -> Option<usize> {
    match reader.encoding() {
        Encoding::Classic => usize::try_from(reader.i32().ok()?).ok(),
        // KIP-482: a compact length is written plus one, so that 0 is null.
        Encoding::Flexible => usize::try_from(reader.uvarint().ok()?.checked_sub(1)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::produce::{ProducePartition, ProduceRequest, ProduceTopic};
    use crate::codec::{Field, frame};
    use proptest::prelude::*;

    fn request<'a>(
        name: &'a str,
        records: &'a [u8],
        partitions: &[i32],
        topics: usize,
    ) -> ProduceRequest<'a> {
        let partition = |index: &i32| ProducePartition {
            index: *index,
            records: Some(records),
        };
        let topic = ProduceTopic {
            name,
            partitions: partitions.iter().map(partition).collect(),
        };
        ProduceRequest {
            transactional_id: None,
            acks: -1,
            timeout_ms: 7,
            topics: vec![topic; topics],
        }
    }

    fn encoded(version: i16, request: &ProduceRequest<'_>) -> Vec<u8> {
        frame::encode_request(version, 5, Some("client"), request)[frame::SIZE_PREFIX..].to_vec()
    }

    proptest! {
        #[test]
        fn a_front_says_what_the_whole_says(
            version in 3_i16..=12,
            name in "[a-z]{1,20}",
            index: i32,
            records in prop::collection::vec(any::<u8>(), 0..300),
            cut in 0_usize..400,
        ) {
            let whole = encoded(version, &request(&name, &records, &[index], 1));
            let front = &whole[..cut.min(whole.len())];
            if let Some(found) = ProduceFront::read(front, whole.len()) {
                let (header, mut body) = RequestHeader::decode(&whole).unwrap();
                let decoded: ProduceRequest<'_> = Field::decode(&mut body, header.version).unwrap();
                prop_assert_eq!(found.header, header);
                prop_assert_eq!((found.acks, found.timeout_ms), (decoded.acks, decoded.timeout_ms));
                prop_assert_eq!(found.topic, decoded.topics[0].name);
                prop_assert_eq!(found.partition, decoded.topics[0].partitions[0].index);
                prop_assert_eq!(found.records_size, records.len());
                prop_assert!(records.starts_with(found.early));
                prop_assert!(whole.ends_with(&vec![0; found.behind_size]));
            } else {
                let needed = whole.len() - records.len() - if version < 9 { 0 } else { 3 };
                prop_assert!(cut < needed || cut > needed + records.len(), "{} of {}", cut, whole.len());
            }
        }

        #[test]
        fn any_bytes_are_read_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200), size: usize) {
            if let Some(front) = ProduceFront::read(&bytes, size) {
                prop_assert!(front.early.len() <= front.records_size);
            }
        }
    }

    #[test]
    fn what_has_more_than_one_batch_is_left_to_the_decoder_of_the_whole() {
        for version in [3, 9] {
            let whole = |request: &ProduceRequest<'_>| {
                let whole = encoded(version, request);
                ProduceFront::read(&whole[..whole.len().min(80)], whole.len()).is_some()
            };
            let records = [7; 200];
            assert!(whole(&request("topic", &records, &[0], 1)));
            assert!(!whole(&request("topic", &records, &[0, 1], 1)));
            assert!(!whole(&request("topic", &records, &[], 1)));
            assert!(!whole(&request("topic", &records, &[0], 2)));
            let transactional = ProduceRequest {
                transactional_id: Some("transaction"),
                ..request("topic", &records, &[0], 1)
            };
            assert!(!whole(&transactional));
        }
    }
}
