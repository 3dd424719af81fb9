//! The Kafka protocol over the store: codec, record batches and request handlers.
//!
//! [`codec`] knows the bytes of requests and responses, [`batch`] those of the record batches inside them; neither knows the store.
//! The coordinator of groups keeps consumers in step. [`Kafka`] is where both meet it: it says what each request means, and knows no socket.

pub mod batch;
pub mod codec;
pub mod configs;
mod groups;
mod handlers;

pub use groups::GroupOptions;
pub use handlers::{Advertised, Connection, Kafka, KafkaOptions, NODE_ID};
