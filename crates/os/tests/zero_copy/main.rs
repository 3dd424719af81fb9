//! Sends that refer to pages of a mapping, one file for each call.

mod completion;
mod enable;
mod pair;
mod send;
