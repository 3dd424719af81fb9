//! InitProducerId: a number for a producer, under which its batches are counted.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Give me a producer id.
    pub struct InitProducerIdRequest<'a> {
        /// The transactional id, if the producer has one.
        transactional_id: Option<&'a str> [0..],
        /// After which time an idle transaction is aborted.
        transaction_timeout_ms: i32 [0..],
        /// The producer id that the client has already, or -1.
        producer_id: i64 [3..] = -1,
        /// Its epoch, or -1.
        producer_epoch: i16 [3..] = -1,
    }
}

message! {
    /// A producer id.
    pub struct InitProducerIdResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why there is none.
        error: ErrorCode [0..],
        /// The producer id, or -1.
        producer_id: i64 [0..] = -1,
        /// Its epoch.
        producer_epoch: i16 [0..],
    }
}

api!(InitProducerId: InitProducerIdRequest<'a> => InitProducerIdResponse);
