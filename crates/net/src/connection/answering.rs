//! What a handler gives for a frame becomes its answer: now, later, or by a worker.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use pagelog_store::answer::{Answer, Work};
use pagelog_transfer::Rope;

use super::Connection;
use crate::answers::{Polled, Slot};
use crate::ending::Ending;
use crate::local::Local;
use crate::slots::Token;
use crate::workers::Job;

impl Connection {
    /// Takes what a worker brings back.
    pub(crate) fn worked(&mut self, token: Token, answer: Answer, local: &mut Local, now: Instant) {
        let Some(noticed) = self.answers.noticed_at_work(token.sequence) else {
            return;
        };
        self.at_work = false;
        self.progress = now;
        let size = mem::take(&mut self.work_size) as usize;
        self.take_answer(token, answer, size, local, now);
        if noticed {
            self.poll(token, local, now);
        }
        if !self.at_work
            && let Some((sequence, work)) = self.answers.next_work()
        {
            let slot = self.key.slot;
            self.submit(Token { slot, sequence }, work, 0, local);
        }
    }

    pub(super) fn take_answer(
        &mut self,
        token: Token,
        answer: Answer,
        frame_size: usize,
        local: &mut Local,
        now: Instant,
    ) {
        match answer {
            Answer::Now(rope) => self.answers.set(token.sequence, Slot::Ready(rope)),
            Answer::Silent => self.answers.set(token.sequence, Slot::Ready(Rope::new())),
            Answer::Later(pending) => {
                self.answers.set(token.sequence, Slot::waiting(pending));
                self.poll(token, local, now);
            }
            Answer::Work(work) => self.submit(token, work, frame_size, local),
            Answer::Close(reason) => {
                self.answers.set(token.sequence, Slot::Ready(Rope::new()));
                self.end(Ending::Handler(reason));
            }
        }
    }

    pub(super) fn submit(
        &mut self,
        token: Token,
        work: Work,
        frame_size: usize,
        local: &mut Local,
    ) {
        local.counts.worked += 1;
        self.at_work = true;
        self.work_size = frame_size as u64;
        let permit = Arc::clone(&self.permit);
        let job = Job {
            work,
            token: token.to_u64(),
            mailbox: Arc::clone(&local.mailbox),
            permit,
        };
        if !local.workers.submit(job) {
            self.answers.set(token.sequence, Slot::Ready(Rope::new()));
            self.end(Ending::WorkersFull);
        }
    }

    /// Polls the answer of `token`. Whether that calls for a turn.
    pub(crate) fn poll(&mut self, token: Token, local: &mut Local, now: Instant) -> bool {
        local.counts.polls += 1;
        match self
            .answers
            .poll(token.sequence, token.to_u64(), &mut local.marks, now)
        {
            Polled::Answered => {
                self.progress = now;
                true
            }
            Polled::Waits(deadline) => {
                self.bring_timer_forward(deadline, local);
                false
            }
            Polled::Work(work) => {
                self.hand_over(token, work, local);
                false
            }
            Polled::Broken => {
                self.broken(token.sequence);
                true
            }
            Polled::Gone => false,
        }
    }

    /// A worker goes on with what has waited: at once, or when the one that has another answer of this connection is back.
    pub(super) fn hand_over(&mut self, token: Token, work: Work, local: &mut Local) {
        if self.at_work {
            self.answers.set(token.sequence, Slot::Queued(work));
        } else {
            self.answers.set(token.sequence, Slot::at_work());
            self.submit(token, work, 0, local);
        }
    }
}
