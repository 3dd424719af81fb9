//! Listeners, connections, reactors, timers: moves frames in and ropes out.
//!
//! A [`Server`] accepts connections, cuts what they send into frames (a length of four bytes,
//! big-endian, and so many bytes), hands each frame to the connection's [`Handler`], and sends what
//! it answers, in the order of the frames. What the frames mean it does not know.
//!
//! ```text
//!              ┌───────── reactor 0 ─────────┐    ┌───────── reactor 1 ─────────┐
//!  listeners ─▶│ accept, round robin ────────┼───▶│                             │
//!              │ scratch ▶ frames ▶ handlers │    │ scratch ▶ frames ▶ handlers │
//!              │ answers in order ▶ Sender   │    │ answers in order ▶ Sender   │
//!              └──▲──────────────▲───────────┘    └──▲──────────────▲───────────┘
//!              mailbox        marks (wanted positions)       mailbox
//!                 ▲              ▲                               ▲
//!              workers        the flush thread             other threads' notices
//! ```
//!
//! - A reactor is one thread and one epoll. It owns its connections, shares no lock with other
//!   reactors while it serves, and blocks nowhere but in `epoll_wait`.
//! - A frame that is whole in the reactor's scratch buffer is handled there. Only what is left over
//!   gets memory of its own, which grows as bytes arrive; an idle connection has no buffer at all.
//! - A long frame may land: its rest goes from the socket straight to where the handler wants it, once all of it waits there.
//! - An answer may come later: its [`Pending`] is polled when a mark of the log reaches a position,
//!   at a point in time, or when a [`Notify`] names it. A mark that moves wakes only the reactors
//!   that want a position it has reached, and these wake only the answers that do.
//! - What blocks or takes long goes to a worker; the connection's next frame waits for it.
//! - What is to be sent and is not in memory is read by a fetcher ([`ColdReads`]); the connection waits for it, its neighbours do
//!   not.
//! - Every bound is back-pressure by not reading: answers owed to one peer, bytes queued for it,
//!   bytes in flight altogether. Only more connections than allowed, lengths that cannot be, and
//!   peers that let nothing move for [`ServerOptions::idle_timeout`] are closed.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use pagelog_net::{Marks, Server, ServerOptions};
//! use pagelog_store::answer::{Answer, Context, Handler};
//!
//! /// Sends every frame back.
//! struct Echo;
//!
//! impl Handler for Echo {
//!     fn frame(&mut self, frame: &[u8], _: &Context<'_>) -> Answer {
//!         let mut answer = (frame.len() as u32).to_be_bytes().to_vec();
//!         answer.extend_from_slice(frame);
//!         Answer::Now(answer.into())
//!     }
//! }
//!
//! # use pagelog_commit_log::{Log, LogOptions, Route};
//! # use pagelog_segment::Directory;
//! # let directory = tempfile::tempdir()?;
//! # let storage = Arc::new(Directory::open(directory.path())?);
//! # let options = LogOptions::new(1 << 20, Route::Staged { ring_size: 1 << 20 }, 1 << 16);
//! # let log = Log::open(storage, options, &mut |_| Ok(()))?.log;
//! let marks = Marks { written: log.written().clone(), durable: log.durable().clone() };
//! let options = ServerOptions {
//!     listeners: vec![("example".to_owned(), TcpListener::bind("127.0.0.1:0")?)],
//!     ..ServerOptions::default()
//! };
//! let server = Server::start(options, Arc::new(|_| Box::new(Echo)), marks)?;
//!
//! let mut client = TcpStream::connect(server.addresses()[0])?;
//! client.write_all(b"\0\0\0\x05hello")?;
//! let mut answer = [0; 9];
//! client.read_exact(&mut answer)?;
//! assert_eq!(&answer, b"\0\0\0\x05hello");
//!
//! server.stop(Duration::from_secs(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Handler`]: pagelog_store::answer::Handler
//! [`Notify`]: pagelog_store::answer::Notify
//! [`Pending`]: pagelog_store::answer::Pending

mod acceptor;
mod answers;
mod budget;
mod connection;
mod contain;
mod counters;
mod ending;
mod fetchers;
pub mod frame;
mod gate;
mod inbox;
mod landing;
mod local;
mod loopback;
mod mailbox;
mod marks;
mod poller;
mod reactor;
mod server;
mod slots;
mod timers;
mod workers;

pub use counters::Counters;
pub use fetchers::{ColdReads, Fetch};
pub use landing::Landings;
pub use server::{Accepted, Chooser, Marks, Open, Server, ServerOptions, StartError};
