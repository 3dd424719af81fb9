//! One ordered log of entries over segment files: append, read, replay, recover, index.
