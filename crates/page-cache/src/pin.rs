//! Pages that stay in memory while someone needs them: `mlock` within a [`Budget`].

use std::ops::Range;
use std::sync::Arc;

use pagelog_os::{LockRefused, Mapping, page_size};

use crate::{Budget, Grant, OverBudget};

/// One range of a mapping, pinned; it can be moved, and is let go on drop.
///
/// Invariant: the grant holds exactly the bytes of `held`, and `held` is what this pin has locked.
#[derive(Debug)]
pub struct Pin {
    memory: Arc<Mapping>,
    grant: Grant,
    /// Whole pages.
    held: Range<usize>,
    refused: bool,
}

/// How much of what was asked for is pinned.
#[derive(Debug)]
pub enum Pinned {
    /// All of it.
    Whole,
    /// What the budget had left; the rest may be evicted.
    OverBudget(OverBudget),
    /// The kernel refused, now or earlier: nothing more is locked by this pin. The first refusal of a budget is
    /// also one line in the log, with the limit and the remedy.
    Refused(Option<LockRefused>),
}

impl Pin {
    /// A pin that holds nothing yet.
    ///
    /// Two pins must not hold the same pages of one mapping: the kernel locks a page once, and the first to let
    /// go lets go for both.
    #[must_use]
    pub fn new(memory: Arc<Mapping>, budget: &Arc<Budget>) -> Pin {
        Pin {
            memory,
            grant: budget.nothing(),
            held: 0..0,
            refused: false,
        }
    }

    /// Holds the pages that `range` touches, and no others: lets go what lies outside, then locks what is new.
    /// Where the budget is short, the front is held and the end is not.
    ///
    /// Pages that are not in memory are read in, one by one: warm them first.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn hold(&mut self, range: Range<usize>) -> Pinned {
        let wanted = self.whole_pages(&range);
        let kept = wanted.start.max(self.held.start)..wanted.end.min(self.held.end);
        // What begins before what is held, or stands apart from it, is locked as a whole: windows move forward.
        if kept.is_empty() || wanted.start < self.held.start {
            self.let_go();
            self.held = wanted.start..wanted.start;
        } else {
            self.unlock(self.held.start..kept.start);
            self.unlock(kept.end..self.held.end);
            self.held = kept;
        }
        self.extend(wanted.end)
    }

    /// Lets everything go.
    pub fn let_go(&mut self) {
        self.unlock(self.held.clone());
        self.held = 0..0;
    }

    /// What is pinned: whole pages, in bytes.
    #[must_use]
    pub fn held(&self) -> Range<usize> {
        self.held.clone()
    }

    /// Locks from the end of what is held up to `end`, as far as the budget goes.
    fn extend(&mut self, end: usize) -> Pinned {
        if end <= self.held.end {
            return Pinned::Whole;
        }
        if self.refused {
            return Pinned::Refused(None);
        }
        let over = self.grant_up_to(end).err();
        let granted = self.held.start + self.grant.size() as usize;
        let new = self.held.end..granted;
        if !new.is_empty()
            && let Err(refused) = self.memory.lock(new.clone())
        {
            self.grant.shrink(new.len() as u64);
            // Refused half-way, the range counts as locked though some of it is not in memory.
            let _ = self.memory.unlock(new);
            return self.refuse(refused);
        }
        self.held.end = granted;
        over.map_or(Pinned::Whole, Pinned::OverBudget)
    }

    /// Takes what `held.end..end` needs, or, when that is not left, the whole pages that are.
    fn grant_up_to(&mut self, end: usize) -> Result<(), OverBudget> {
        let over = match self.grant.grow((end - self.held.end) as u64) {
            Ok(()) => return Ok(()),
            Err(over) => over,
        };
        let page_size = page_size() as u64;
        // Another pin may be quicker: then there is less, or nothing.
        let _ = self.grant.grow(over.left / page_size * page_size);
        Err(over)
    }

    fn refuse(&mut self, refused: LockRefused) -> Pinned {
        self.refused = true;
        if self.grant.budget().first_refusal() {
            tracing::warn!("{refused}; going on with pages that may be evicted");
        }
        Pinned::Refused(Some(refused))
    }

    fn unlock(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.grant.shrink(range.len() as u64);
        if let Err(error) = self.memory.unlock(range) {
            tracing::warn!(%error, "pages could not be unlocked; they stay in memory until they are unmapped");
        }
    }

    /// The pages that `range` touches, none when it is empty; the last one counts in full.
    fn whole_pages(&self, range: &Range<usize>) -> Range<usize> {
        assert!(
            range.start <= range.end && range.end <= self.memory.size(),
            "the range {range:?} of a mapping of {}",
            self.memory.size()
        );
        let page_size = page_size();
        let start = range.start / page_size * page_size;
        if range.is_empty() {
            return start..start;
        }
        start..range.end.next_multiple_of(page_size)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.let_go();
    }
}
