//! io_uring, one file for each operation.

mod read;
mod ring;
mod send_zero_copy;
mod splice_through;
