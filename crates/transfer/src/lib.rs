//! Ranges of files to a peer without copying.
//!
//! A [`Rope`] is an answer: bytes in memory (headers) and [`Region`]s (ranges of files) in a row. A [`Sender`] moves it into a
//! non-blocking socket, a bounded step at a time, and [`Paths`] chooses the way of each part:
//!
//! | path | call | for |
//! |---|---|---|
//! | [`Path::SendFile`] | `sendfile` | runs of at least [`SEND_FILE_SIZE_MIN`] bytes |
//! | [`Path::Gather`] | one `sendmsg` of bytes and mapped ranges | headers, and many shorter runs |
//! | [`Path::Reference`] | `pread` + `send` | what the others are compared with, and the last rung of the ladder |
//!
//! When the kernel refuses a path (`EINVAL`, `ENOSYS`, `EOPNOTSUPP`), the next one takes over at the very byte. [`Counters`] tell what
//! went which way, and how much payload was copied by this process: none, on the first two.
//!
//! This crate decodes nothing and waits for nothing.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::os::fd::AsFd;
//! use std::sync::Arc;
//!
//! use pagelog_os::MappedFile;
//! use pagelog_transfer::{Paths, Progress, Region, Rope, Sender};
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

mod cold;
mod counters;
mod paths;
mod region;
mod rope;
mod sender;

pub use cold::{Cold, FETCH_SIZE_MAX};
pub use counters::{Counters, PathCount};
pub use paths::{Path, Paths, SEND_FILE_SIZE_MIN};
pub use region::Region;
pub use rope::{Piece, Rope};
pub use sender::{Progress, SEND_SIZE_MAX, SendError, Sender};
