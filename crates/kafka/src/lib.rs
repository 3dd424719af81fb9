//! The Kafka protocol over the store: codec and request handlers.
