//! One thread's paths: which are open for which kind of descriptor, what they have moved, and what they keep between two calls.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use pagelog_os::uring::{Operations, Ring, RingError};

use crate::choices::{Choices, MANY_COUNT_MIN, Why};
use crate::cold::Window;
use crate::counters::Counters;
use crate::kind::Kind;
use crate::path::direct::DirectState;
use crate::path::gather::{self, Run};
use crate::path::splice::Pipes;
use crate::path::uring_zero_copy::Sends;
use crate::path::{Held, Path, Refusal, refusal_at_set_up};
use crate::rope::Piece;

/// The shortest run among many that goes by `sendfile`; shorter ones are gathered from the mapping. One that comes alone goes by
/// `sendfile` from half of that on.
///
/// Measured by `cargo run --release -p pagelog-transfer --example break_even` on a virtual machine of
/// two cores (kernel 6.18, AMD EPYC): answers of 16 headers of 100 bytes, each before one run, over
/// loopback, to a receiver that discards and to one that copies. Processor time of the sending thread
/// per KiB, gathered and by `sendfile`: runs of 16 KiB 170–190 and 250 ns, of 32 KiB 180 and 190 ns,
/// of 64 KiB 150–200 and 135–160 ns. A network card that takes the pages themselves moves it down.
pub const SEND_FILE_SIZE_MIN: u64 = 32 * 1024;

/// The paths that are open, what each has moved, and what was refused.
///
/// One per thread that sends: whoever owns it remembers refusals and counts.
#[derive(Debug, Default)]
pub struct Paths {
    choices: Choices,
    /// The paths that nobody is to take, as bits.
    closed: u16,
    /// Those that are refused for a kind of descriptor.
    closed_for: [u16; Kind::ALL.len()],
    pub(crate) counters: Counters,
    /// The buffer of the reference path; empty until that path is taken.
    pub(crate) buffer: Vec<u8>,
    /// With it, nothing is sent before it is known to be in memory.
    window: Option<Window>,
    pub(crate) pipes: Pipes,
    pub(crate) direct: DirectState,
    ring: RingState,
    pub(crate) uring_sends: Sends,
}

/// Whether there is a ring; asked for when it is first wanted.
#[derive(Debug, Default)]
enum RingState {
    #[default]
    Untried,
    Open(Box<OpenRing>),
    Refused,
}

/// The ring of one thread.
#[derive(Debug)]
pub(crate) struct OpenRing {
    pub(crate) ring: Ring,
    pub(crate) operations: Operations,
    pub(crate) has_buffer: bool,
}

impl Paths {
    /// All paths, chosen by run length.
    pub fn new() -> Paths {
        Paths::default()
    }

    /// One path for every region, whatever its size; the ladder below it stays.
    pub fn only(path: Path) -> Paths {
        Paths::choosing(Choices::only(path))
    }

    /// Paths chosen by a table.
    pub fn choosing(choices: Choices) -> Paths {
        Paths {
            choices,
            ..Paths::default()
        }
    }

    /// Never takes `path`, as if the kernel had refused it. The reference cannot be closed.
    pub fn close(&mut self, path: Path) {
        if path != Path::Reference {
            self.closed |= path.bit();
        }
    }

    /// Has senders ask the kernel whether the next bytes are in memory, and say [`Progress::Cold`](crate::Progress::Cold) when they
    /// are not: for threads that must not wait for the disk.
    ///
    /// It is asked by `mincore`, which says of a file that this process neither owns nor could write that all of it is in memory (since
    /// Linux 5.2; man 2 mincore): of such a file nothing is found cold.
    pub fn look_first(mut self) -> Paths {
        self.window = Some(Window::default());
        self
    }

    /// Goes by another table from now on; what is refused stays so.
    pub fn set_choices(&mut self, choices: Choices) {
        self.choices = choices;
    }

    /// What has been sent so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many pipes senders hold now, half full.
    pub fn pipes_held(&self) -> usize {
        self.pipes.out_count()
    }

    /// Whether a path was asked for by name.
    pub(crate) fn is_forced(&self) -> bool {
        self.choices.why() == Why::Forced
    }

    /// Where to look first, if that is asked for.
    pub(crate) fn window(&mut self) -> Option<&mut Window> {
        self.window.as_mut()
    }

    /// The ring, if the kernel and its filters allow one.
    pub(crate) fn ring(&mut self) -> Option<&mut OpenRing> {
        if let RingState::Untried = self.ring {
            self.ring = match Ring::new() {
                Ok(ring) => RingState::Open(Box::new(OpenRing {
                    operations: ring.operations(),
                    ring,
                    has_buffer: false,
                })),
                // For want of descriptors or memory: it is tried again.
                Err(RingError::Io(error)) if refusal_at_set_up(&error) == Refusal::Now => {
                    RingState::Untried
                }
                Err(_) => RingState::Refused,
            };
        }
        match &mut self.ring {
            RingState::Open(ring) => Some(ring),
            RingState::Untried | RingState::Refused => None,
        }
    }

    /// For whom a path is refused that has found no ring, or no such operation in it.
    pub(crate) fn no_ring(&self) -> Refusal {
        match self.ring {
            RingState::Untried => Refusal::Now,
            RingState::Open(_) | RingState::Refused => Refusal::Everywhere,
        }
    }

    /// The paths that are closed for `socket`, as bits. What it is, is asked only once something was refused.
    pub(crate) fn closed(&self, socket: BorrowedFd<'_>, held: &mut Held) -> u16 {
        if self.closed_for.iter().all(|closed| *closed == 0) {
            return self.closed;
        }
        let kind = *held.kind.get_or_insert_with(|| Kind::of(socket));
        self.closed | self.closed_for[kind.index()]
    }

    /// The path that a region takes, and why.
    fn of_region(&self, size: u64, many: bool, closed: u16) -> (Path, Why) {
        open(self.choices.of(size, many), self.choices.why(), closed)
    }

    /// What to do with the front of `pieces`, which is not empty.
    pub(crate) fn choose(&self, pieces: &VecDeque<Piece>, closed: u16) -> Step {
        let many = pieces.len() >= MANY_COUNT_MIN;
        let mut gathered = None;
        for (count, piece) in pieces.iter().take(gather::COUNT_MAX).enumerate() {
            let Piece::Region(region) = piece else {
                continue;
            };
            let (path, why) = self.of_region(region.size(), many, closed);
            match (path, count) {
                (Path::Gather, _) => gathered = gathered.or(Some(why)),
                (path, 0) => return Step::Region(path, why),
                // What is gathered before a long run is its header, and belongs into the same packet.
                (path, _) => {
                    let more = !path.copies();
                    return Step::Gather(Run { count, more }, gathered);
                }
            }
        }
        let run = Run {
            count: pieces.len().min(gather::COUNT_MAX),
            more: false,
        };
        Step::Gather(run, gathered)
    }

    /// Gives `path` up for a while or for good after it was refused. Where the next rung is.
    pub(crate) fn refuse(
        &mut self,
        path: Path,
        refusal: Refusal,
        socket: BorrowedFd<'_>,
        held: &mut Held,
    ) -> Path {
        match refusal {
            Refusal::Now => self.counters.shortages += 1,
            Refusal::Everywhere => {
                self.counters.refusals += 1;
                self.close(path);
            }
            Refusal::Kind => {
                self.counters.refusals += 1;
                let kind = *held.kind.get_or_insert_with(|| Kind::of(socket));
                self.closed_for[kind.index()] |= path.bit();
            }
        }
        let below = path.below().unwrap_or(Path::Reference);
        open(below, Why::TakenOver, self.closed(socket, held)).0
    }
}

/// The first rung from `path` down that is not closed.
fn open(mut path: Path, mut why: Why, closed: u16) -> (Path, Why) {
    while closed & path.bit() != 0
        && let Some(below) = path.below()
    {
        (path, why) = (below, Why::TakenOver);
    }
    (path, why)
}

/// The next call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The first pieces in one `sendmsg`; why the regions among them, if there are any.
    Gather(Run, Option<Why>),
    /// The first piece, a region.
    Region(Path, Why),
}
