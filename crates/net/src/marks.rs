//! Which answers wait for which position of a mark, and the one wish that stands for all of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{Subscription, WaitOutcome, Watermark};
use pagelog_store::answer::{Mark, Position};

use crate::mailbox::{Mailbox, index};
use crate::server::Marks;

/// Both marks of one reactor.
pub(crate) struct MarkWaits([MarkWait; 2]);

/// Those who wait for one mark. The mark is asked to call for the lowest position only, so that a
/// publish wakes no reactor whose answers all want more.
struct MarkWait {
    mark: Arc<Watermark>,
    subscription: Subscription,
    waiting: BinaryHeap<Reverse<(Position, u64)>>,
    /// What the subscription was asked for and has not yet called for.
    wanted: Option<Position>,
    /// The log has failed or was closed: the mark will not move, and everyone has to hear of it at once.
    ended: bool,
}

impl MarkWaits {
    pub(crate) fn new(marks: &Marks, mailbox: &Arc<Mailbox>) -> MarkWaits {
        MarkWaits([
            MarkWait::new(&marks.written, Mark::Written, mailbox),
            MarkWait::new(&marks.durable, Mark::Durable, mailbox),
        ])
    }

    /// A round begins that may append: a sync waits a little for it.
    pub(crate) fn begin_turn(&self) {
        self.durable().subscription.begin_turn();
    }

    /// The round is at its end.
    pub(crate) fn end_turn(&self) {
        self.durable().subscription.end_turn();
    }

    /// How far everything is durable.
    pub(crate) fn durable_at(&self) -> Position {
        self.durable().mark.get()
    }

    fn durable(&self) -> &MarkWait {
        &self.0[index(Mark::Durable)]
    }

    /// Whether there is nothing to wait for: the mark is there, or will never be.
    pub(crate) fn is_reached(&self, mark: Mark, at: Position) -> bool {
        let wait = &self.0[index(mark)];
        wait.ended || wait.mark.get() >= at
    }

    /// Has `token` given out by [`MarkWaits::take_due`] when `mark` reaches `at`.
    pub(crate) fn add(&mut self, mark: Mark, at: Position, token: u64) {
        let wait = &mut self.0[index(mark)];
        wait.waiting.push(Reverse((at, token)));
        wait.want(at);
    }

    /// Adds to `due` the tokens whose position was reached, after the mark's subscription has called.
    pub(crate) fn take_due(&mut self, mark: Mark, due: &mut Vec<u64>) {
        self.0[index(mark)].take_due(due);
    }
}

impl MarkWait {
    fn new(watermark: &Arc<Watermark>, mark: Mark, mailbox: &Arc<Mailbox>) -> MarkWait {
        let mailbox = Arc::clone(mailbox);
        MarkWait {
            mark: Arc::clone(watermark),
            subscription: watermark.subscribe(Arc::new(move || mailbox.fire(mark))),
            waiting: BinaryHeap::new(),
            wanted: None,
            ended: false,
        }
    }

    fn want(&mut self, at: Position) {
        if self.wanted.is_none_or(|wanted| at < wanted) {
            self.wanted = Some(at);
            self.subscription.want(at);
        }
    }

    fn take_due(&mut self, due: &mut Vec<u64>) {
        self.wanted = None;
        let Some(lowest) = self.lowest() else { return };
        match self.mark.wait(lowest, Some(Duration::ZERO)) {
            WaitOutcome::Reached => self.take_up_to(self.mark.get(), due),
            WaitOutcome::Closed | WaitOutcome::Failed => {
                self.ended = true;
                due.extend(self.waiting.drain().map(|Reverse((_, token))| token));
            }
            WaitOutcome::TimedOut => {}
        }
        if let Some(lowest) = self.lowest() {
            self.want(lowest);
        }
    }

    fn take_up_to(&mut self, mark: Position, due: &mut Vec<u64>) {
        while let Some(Reverse((at, token))) = self.waiting.peek()
            && *at <= mark
        {
            due.push(*token);
            self.waiting.pop();
        }
    }

    fn lowest(&self) -> Option<Position> {
        self.waiting.peek().map(|Reverse((at, _))| *at)
    }
}
