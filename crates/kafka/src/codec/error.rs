//! What can be wrong with the bytes of a peer. Every variant ends in a closed connection or a refused batch, never in a panic.

/// Why bytes from the wire could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A field reaches past the end of the frame.
    #[error("{wanted} bytes are needed and only {remaining} are left")]
    Truncated {
        /// Bytes that the field claims.
        wanted: usize,
        /// Bytes that the frame still has.
        remaining: usize,
    },
    /// A length or count below zero (and not the -1 that means null).
    #[error("a length or count is negative: {0}")]
    Negative(i64),
    /// An array claims more elements than the bytes that are left can hold.
    #[error("an array of {count} elements cannot lie in the {remaining} bytes that are left")]
    CountBeyondFrame {
        /// Elements claimed.
        count: usize,
        /// Bytes that the frame still has.
        remaining: usize,
    },
    /// The arrays of one message hold more elements than [`super::ELEMENTS_MAX`].
    #[error(
        "the arrays of one message hold more than {} elements",
        super::ELEMENTS_MAX
    )]
    TooManyElements,
    /// Null where the protocol has no null.
    #[error("a field that cannot be null is null")]
    Null,
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// A variable-length integer is longer than its type.
    #[error("a variable-length integer does not fit its type")]
    Varint,
    /// The tags of a tag buffer do not ascend (KIP-482).
    #[error("tagged field {0} is out of order")]
    TagOrder(u32),
    /// An API key that this broker does not have.
    #[error("unknown API key {0}")]
    UnknownApi(i16),
}
