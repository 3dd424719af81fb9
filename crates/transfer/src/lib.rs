//! Ranges of files to a peer without copying.
//!
//! A [`Rope`] is an answer: bytes in memory (headers) and [`Region`]s (ranges of files) in a row. A [`Sender`] moves it into a
//! non-blocking socket, a bounded step at a time, and [`Paths`] chooses the way of each part by a table ([`Choices`]):
//!
//! | path | calls | copies by this process |
//! |---|---|---|
//! | [`Path::Gather`] | one `sendmsg` of bytes and mapped ranges | none; the kernel makes one |
//! | [`Path::SendFile`] | `sendfile` | none |
//! | [`Path::Splice`] | `splice` into a pipe of its own and out of it | none |
//! | [`Path::ZeroCopy`] | `sendmsg` with `MSG_ZEROCOPY` | none; the kernel makes one for peers on the same machine |
//! | [`Path::UringSplice`] | two linked splices by io_uring | none |
//! | [`Path::UringZeroCopy`] | `SEND_ZC` by io_uring | as `MSG_ZEROCOPY` |
//! | [`Path::UringRead`] | reads into registered buffers by io_uring, `send` | one |
//! | [`Path::Direct`] | `pread` around the page cache, `send` | one |
//! | [`Path::Reference`] | `pread`, `send` | one; what the others are compared with, and the last rung of the ladder |
//!
//! When the kernel refuses a path, the next one ([`Path::below`]) takes over at the very byte, and the refusal is remembered for that
//! [`Kind`] of descriptor. [`Counters`] tell what went which way and why, and how much payload was copied by this process.
//!
//! With [`Paths::look_first`] a sender asks the kernel whether the next bytes are in memory, and hands out what is [`Cold`] to be
//! fetched by somebody who may wait. [`Transfers`] joins any two descriptors, as Java's `transferTo` and `transferFrom` do.
//!
//! This crate decodes nothing and waits for nothing.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::os::fd::AsFd;
//! use std::sync::Arc;
//!
//! use pagelog_transfer::{MappedFile, Paths, Progress, Region, Rope, Sender};
//!
//! let mut file = tempfile::tempfile()?;
//! file.write_all(b"what lies in the file")?;
//! let file = Arc::new(MappedFile::new(file)?);
//!
//! let mut rope = Rope::from(&b"header, "[..]);
//! rope.push_region(Region::new(file, 5, 4));
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut peer = TcpStream::connect(listener.local_addr()?)?;
//! let (socket, _) = listener.accept()?;
//! socket.set_nonblocking(true)?;
//!
//! let mut paths = Paths::new();
//! assert_eq!(Sender::new(rope).send(socket.as_fd(), &mut paths)?, Progress::Done);
//! assert_eq!(paths.counters().copied_bytes, 0);
//! drop(socket);
//!
//! let mut seen = String::new();
//! peer.read_to_string(&mut seen)?;
//! assert_eq!(seen, "header, lies");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod between;
mod choices;
mod cold;
mod cold_front;
mod cold_ring;
mod counters;
mod kind;
mod measure;
mod path;
mod paths;
mod recent;
mod region;
mod rope;
mod sender;

pub use between::{Rung, TransferError, Transfers};
pub use choices::{CLASS_COUNT, Choices, ChoicesError, Why, class_of, size_of};
pub use cold::{Cold, FETCH_SIZE_MAX};
pub use cold_ring::ColdRing;
pub use counters::{Counters, PathCount};
pub use kind::Kind;
pub use measure::{Measurement, measure, measure_quickly};
pub use pagelog_os::uring::RingError;
pub use pagelog_os::{MappedFile, Mapping};
pub use path::{Path, UnknownPath};
pub use paths::{Paths, SEND_FILE_SIZE_MIN};
pub use region::Region;
pub use rope::{Piece, Rope};
pub use sender::{Progress, SEND_SIZE_MAX, SendError, Sender};
