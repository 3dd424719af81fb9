//! Which pages of a file are in memory: warmed before they are needed, pinned within a budget, counted, let go
//! when they are not needed again.
//!
//! A store into a page that is not in memory waits for the kernel, and sometimes for the disk. A [`Warmer`]
//! brings pages in ahead of a writer on a thread of its own: the whole file, or a window that moves with the
//! writer; at a bounded rate, flushing as it goes when asked, with progress that can be shown. A [`Pin`] keeps
//! pages from being evicted, within a [`Budget`] that many pins share. [`Residency`] is asked of the kernel, never
//! guessed. [`let_go`], [`let_go_all`] and [`ReadOnce`] give memory back.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use pagelog_page_cache::pagelog_os::{Mapping, Populate, file};
//! use pagelog_page_cache::{Budget, Means, PinAhead, Residency, State, Target, WarmOptions, Warmer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let size = 1 << 20;
//! let storage = tempfile::tempfile()?;
//! file::allocate(&storage, size)?;
//! let memory = Arc::new(Mapping::shared(&storage, size as usize)?);
//!
//! // Keep 256 KiB ahead of the writer warm, and pin 64 KiB of them if the limits allow it.
//! let budget = Arc::new(Budget::ask(64 << 10, 50)?);
//! let options = WarmOptions {
//!     window: Some(256 << 10),
//!     pin: Some(PinAhead { budget, window: 64 << 10 }),
//!     ..WarmOptions::whole(0..size)
//! };
//! let target = Target::memory(Arc::clone(&memory), Means::Populate(Populate::Write));
//! let warmer = Warmer::start(target, options, |progress| eprintln!("{progress}"))?;
//!
//! let progress = warmer.wait(256 << 10, Duration::from_secs(60));
//! assert_eq!((progress.warmed(), progress.state), (256 << 10, State::Waiting));
//! assert_eq!(Residency::of(&storage, &memory, 0..256 << 10)?.resident, 64);
//!
//! // An appender says where it is; the window follows.
//! memory.copy_in(0, &[1; 100_000])?;
//! warmer.writer_at(100_000);
//! # Ok(())
//! # }
//! ```

mod budget;
mod let_go;
mod pace;
mod pin;
mod progress;
mod read_once;
mod residency;
mod target;
mod warmer;

pub use budget::{Bound, Budget, Grant, OverBudget};
pub use let_go::{LetGo, let_go, let_go_all};
/// The mappings and files that all of this is about.
pub use pagelog_os;
pub use pin::{Pin, Pinned};
pub use progress::{Progress, State};
pub use read_once::ReadOnce;
pub use residency::Residency;
pub use target::{Means, STEP_SIZE, Target};
pub use warmer::{PinAhead, WarmOptions, Warmer};
