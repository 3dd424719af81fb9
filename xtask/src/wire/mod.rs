//! A Kafka client of the fewest parts, for tests that real clients cannot do: they would hide what is to be seen.
//!
//! Messages come from the codec of `pagelog-kafka`; record batches are written and read here by themselves, from
//! the description of the format, so that a mistake in the broker's own batch code does not cancel itself out.

pub(crate) mod batch;
mod connection;

pub(crate) use connection::Connection;
