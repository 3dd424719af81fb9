//! What the machine itself can do, measured in the same rounds: the figures' limits.

pub(crate) mod bare;
mod echo;
pub(crate) mod memcpy;
pub(crate) mod receive;
pub(crate) mod replay;
mod sink;
pub(crate) mod sync;
