//! The entry of a Pagelog commit log as it lies on disk: header, checksum, encode, decode.
