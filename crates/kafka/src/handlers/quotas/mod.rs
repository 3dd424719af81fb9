//! Quotas: how many bytes a second clients may produce and fetch (KIP-13, KIP-546).
//!
//! A quota belongs to an entity: a user, a client id, or both, by name or by default. It is kept by the store as a configuration of clients. Of a
//! connection the strongest entity counts that has a quota of the kind. Who is over it gets an answer that says so, and is not read from
//! for that long.

mod alter;
mod bucket;
mod describe;
mod entity;
mod limits;

pub(super) use alter::alter;
pub(super) use describe::describe;
pub(super) use limits::{Quotas, Throttle, in_ms};

/// Bytes a second that a client may send.
const PRODUCER_BYTE_RATE: &str = "producer_byte_rate";
/// Bytes a second that a client is sent.
const CONSUMER_BYTE_RATE: &str = "consumer_byte_rate";

/// The only user there is, where nobody authenticates.
const ANONYMOUS: &str = "ANONYMOUS";
