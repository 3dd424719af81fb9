//! The program as a user meets it: flags, files, environment, standard output, signals, exit codes.

mod broker;
mod client;
mod documented;
mod failing_disk;
mod groups;
mod landing;
mod offline;
mod refusing;
mod retaining;
mod serving;
mod stopping;
mod talking;
mod warming;
mod without_io_uring;
