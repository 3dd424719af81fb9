//! The request handlers over a real store in a directory of its own: frames in, answers out, with the codec as the client.

mod administration;
mod client;
mod configuring;
mod fetching;
mod groups;
mod home;
mod idempotence;
mod offsets;
mod producing;
mod quotas;
mod recognising;
mod topics;
mod waiting;
