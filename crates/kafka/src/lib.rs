//! The Kafka protocol over the store: codec, record batches and request handlers.
//!
//! [`codec`] knows the bytes of requests and responses, [`batch`] those of the record batches inside them. Neither knows the store.

pub mod batch;
pub mod codec;
