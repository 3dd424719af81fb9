//! The classic group without a broker.
