//! One round: a life with appenders, images of it, what power cuts leave of them, a second life on each, and images of that.

use std::sync::{Arc, OnceLock};

use pagelog_commit_log::{Log, Position};
use pagelog_testing::{Frozen, Marks, MemoryStorage, Random};

use crate::journal::{Journal, Violation};
use crate::setup::Setup;
use crate::workload::append_while;

/// Images of the first life.
const FREEZES: usize = 24;
/// Images of each second life.
const FREEZES_AGAIN: usize = 2;
/// The most operations between two images.
const GAP_MAX: usize = 10;

/// What is done to prove that the checker notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    None,
    /// Once the log is open, syncs succeed and do nothing.
    MuteSyncs,
    /// Entries are acknowledged when they are written, before the sync.
    AcknowledgeWritten,
}

/// What a round showed.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Storages that a power cut left and that were opened and checked.
    pub(crate) images: usize,
    /// Those in which something lay behind the end.
    pub(crate) with_cut_tail: usize,
    pub(crate) violations: Vec<Violation>,
}

/// One life of the log, from its opening to its end.
struct Life {
    /// What was found at its beginning and what was appended in it.
    journal: Journal,
    /// How many operations there were when it was open.
    opened: u64,
    frozen: Vec<Frozen>,
}

impl Life {
    /// Whether the image is one of a log that was still being opened.
    ///
    /// Nobody has been told by then what was found: the next opening may find more. Where an entry's last sector was lost, a torn write of
    /// the opening's own entry over it may bring the same bytes, as the last ones of two headers often are, and make it whole.
    fn was_opening(&self, frozen: &Frozen) -> bool {
        frozen.operation <= self.opened
    }
}

/// What is known when a life begins.
struct Before<'a> {
    /// Everything that may be found.
    journal: &'a Journal,
    /// Everything below must be found.
    promised: Position,
}

/// One round over `setup`; everything chosen in it follows from `seed`.
pub(crate) fn explore(setup: &Setup, seed: u64, sabotage: Sabotage) -> Outcome {
    let mut round = Round {
        setup,
        sabotage,
        random: Random::new(seed),
        outcome: Outcome::default(),
    };
    round.run();
    round.outcome
}

struct Round<'a> {
    setup: &'a Setup,
    sabotage: Sabotage,
    random: Random,
    outcome: Outcome,
}

impl Round<'_> {
    fn run(&mut self) {
        let storage = MemoryStorage::new(self.random.next_u64());
        if self.random.one_in(4) {
            storage.shorten_writes(1 + self.random.below(3_000));
        }
        let nothing = Before {
            journal: &Journal::default(),
            promised: Position(0),
        };
        let first = self.live(&storage, &nothing, FREEZES, 3);
        let first = first.unwrap_or_else(|violation| panic!("an empty storage: {violation}"));
        for frozen in &first.frozen {
            self.process_death(frozen, &first.journal);
            self.second_life(frozen, &first.journal);
        }
    }

    /// Cuts the power, opens what is left, checks it, appends to it, cuts the power again, and checks that.
    fn second_life(&mut self, frozen: &Frozen, journal: &Journal) {
        let storage = self.power_cut(frozen);
        let before = Before {
            journal,
            promised: self.promised(frozen),
        };
        match self.live(&storage, &before, FREEZES_AGAIN, 1) {
            Err(violation) => self.outcome.violations.push(violation),
            Ok(life) => {
                for frozen in &life.frozen {
                    let storage = self.power_cut(frozen);
                    let promised = self.promised(frozen);
                    let journal = match life.was_opening(frozen) {
                        true => before.journal,
                        false => &life.journal,
                    };
                    self.check(&storage, journal, promised);
                }
            }
        }
    }

    /// The page cache outlives the process, so everything written is there; and once a new process has shown it, a power cut takes nothing of it.
    fn process_death(&mut self, frozen: &Frozen, journal: &Journal) {
        let storage = frozen.image.process_death();
        if let Some((journal, shown)) = self.check(&storage, journal, frozen.marks.written) {
            let storage = storage.crash(self.random.next_u64());
            self.check(&storage, &journal, shown);
        }
    }

    fn power_cut(&mut self, frozen: &Frozen) -> MemoryStorage {
        self.outcome.images += 1;
        frozen.image.power_cut(self.random.next_u64())
    }

    fn promised(&self, frozen: &Frozen) -> Position {
        match self.sabotage {
            Sabotage::AcknowledgeWritten => frozen.marks.written,
            Sabotage::None | Sabotage::MuteSyncs => frozen.marks.durable,
        }
    }

    /// Opens the storage and checks what is found. Answers what is left of the journal, and how far readers can see.
    fn check(
        &mut self,
        storage: &MemoryStorage,
        journal: &Journal,
        promised: Position,
    ) -> Option<(Journal, Position)> {
        let opened = self
            .setup
            .open(storage)
            .map_err(|error| Violation::Refused(error.to_string()));
        let checked = opened.and_then(|running| {
            self.outcome.with_cut_tail += usize::from(running.recovery.cut.is_some());
            let found = journal.check(&running, promised)?;
            Ok((journal.after_crash(found), running.log.durable().get()))
        });
        checked
            .map_err(|violation| self.outcome.violations.push(violation))
            .ok()
    }

    /// Opens the log, checks what is found, and appends until all images are taken, the opening and the stop included.
    fn live(
        &mut self,
        storage: &MemoryStorage,
        before: &Before<'_>,
        freezes: usize,
        threads: u64,
    ) -> Result<Life, Violation> {
        let log: Arc<OnceLock<Arc<Log>>> = Arc::default();
        let points = self.points(storage.operations(), freezes);
        storage.freeze_at(points, marks(&log, before.promised));
        let running = self
            .setup
            .open(storage)
            .map_err(|error| Violation::Refused(error.to_string()))?;
        let opened = running.opened_after;
        let shared = Arc::clone(&running.log);
        log.get_or_init(|| shared);
        if self.sabotage == Sabotage::MuteSyncs {
            storage.mute_syncs();
        }
        self.outcome.with_cut_tail += usize::from(running.recovery.cut.is_some());
        let found = before.journal.check(&running, before.promised)?;

        // The last images are those of a clean stop.
        let left_for_stop = self.random.below(2);
        let more = || storage.freezes_remaining() > left_for_stop;
        let records = append_while(
            &running.log,
            self.setup.policy,
            self.random.next_u64(),
            threads,
            &more,
        );
        running
            .flush
            .stop()
            .map_err(|failure| Violation::Refused(failure.to_string()))?;
        let mut journal = before.journal.after_crash(found);
        journal.extend(records);
        Ok(Life {
            journal,
            opened,
            frozen: storage.take_frozen(),
        })
    }

    fn points(&mut self, mut operation: u64, count: usize) -> Vec<u64> {
        let next = || {
            operation += 1 + self.random.below(GAP_MAX) as u64;
            operation
        };
        std::iter::repeat_with(next).take(count).collect()
    }
}

/// Reads the marks of the log, or, as long as it is not open, what its earlier life had promised.
fn marks(
    log: &Arc<OnceLock<Arc<Log>>>,
    promised: Position,
) -> Arc<dyn Fn() -> Marks + Send + Sync> {
    let log = Arc::clone(log);
    Arc::new(move || match log.get() {
        // The lower mark first: it may only grow meanwhile.
        Some(log) => Marks {
            durable: log.durable().get(),
            written: log.written().get(),
        },
        None => Marks {
            durable: promised,
            written: promised,
        },
    })
}
