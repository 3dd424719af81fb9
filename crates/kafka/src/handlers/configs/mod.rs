//! What is configured: shown, changed, and listed.

mod alter;
mod describe;
mod known;
mod list;
mod resource;

pub(super) use alter::{alter, incremental, topic_values};
pub(super) use describe::describe;
pub(super) use known::{Entry, Known};
pub(super) use list::list;
