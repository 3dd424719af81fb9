//! Produce, from the socket straight into the log: one plain batch for one partition, checked where it lies.
//!
//! What can be decided by the front of the request is decided by it. Whatever is not as it should be is taken back and goes through
//! [`super::produce`] like any other request, which knows the answer.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use pagelog_store::answer::{Answer, CloseReason, Context, Incoming, Landed};
use pagelog_store::{Arrival, Batch, Body, LandingSize, NotLanded, Topic, now_ms};

use super::connection::{Call, Connection};
use super::produce::{self, Acks, Run, Taken};
use crate::batch::{Ahead, BatchHeader, CRC_FROM, Codec, HEADER_SIZE, Limits, Validation};
use crate::codec::produce_front::ProduceFront;

impl Ahead for Body<'_, '_> {
    #[inline]
    fn ahead(&mut self, distance: usize) -> io::Result<&[u8]> {
        Body::ahead(self, distance)
    }
}

/// A request that can land: what its front has said.
pub(super) struct Plan {
    call: Call,
    acks: Acks,
    timeout_ms: i32,
    topic: Arc<Topic>,
    partition: i32,
    head: [u8; HEADER_SIZE],
    header: BatchHeader,
    /// So many bytes at the end of the front belong to the records.
    early_size: usize,
    /// So many bytes follow the records.
    behind_size: usize,
}

impl Connection {
    /// As [`pagelog_store::answer::Handler::landing`].
    pub(super) fn plan(&self, front: &[u8], size: usize, now: Instant) -> Option<Plan> {
        let front = ProduceFront::read(front, size)?;
        let acks = produce::acks(front.acks)?;
        let head = *front.early.first_chunk::<HEADER_SIZE>()?;
        let header = BatchHeader::parse(&head).ok()?;
        let topic = self.broker().topic(front.topic)?;
        topic.partition(front.partition)?;
        let asked = &front.header;
        let call = self.call(asked.version, asked.correlation_id, asked.client_id, now);
        let fits = header.size() == front.records_size
            && header.size() <= produce::limits(&call, topic.config()).size_max;
        let plain = matches!(header.codec(), Ok(Codec::None))
            && !header.is_transactional()
            && header.record_count > 0;
        let taken = produce::check_insync(acks, topic.config()).is_ok();
        (fits && plain && taken).then_some(Plan {
            call,
            acks,
            timeout_ms: front.timeout_ms,
            topic,
            partition: front.partition,
            head,
            header,
            early_size: front.early.len(),
            behind_size: front.behind_size,
        })
    }
}

impl Plan {
    /// As [`pagelog_store::answer::Land`].
    pub(super) fn carry_out(
        self,
        front: &[u8],
        incoming: &mut dyn Incoming,
        context: &Context<'_>,
    ) -> Landed {
        let limits = produce::limits(&self.call, self.topic.config());
        let now_ms = now_ms();
        match self.land(front, &limits, now_ms, incoming) {
            Ok(taken) => Landed::Answered(self.answer(now_ms, context, taken)),
            Err(NotLanded::TakenBack(bytes)) => Landed::TakenBack(bytes),
            // The log is at its end, and what is left of the frame in the socket is no frame.
            Err(NotLanded::Failed(error)) => {
                Landed::Answered(Answer::Close(CloseReason::new(error.to_string())))
            }
        }
    }

    fn land(
        &self,
        front: &[u8],
        limits: &Limits,
        now_ms: i64,
        incoming: &mut dyn Incoming,
    ) -> Result<Taken, NotLanded> {
        let untouched = || NotLanded::TakenBack(Vec::new());
        let partition = self.topic.partition(self.partition);
        let partition = partition.ok_or_else(untouched)?;
        let early_at = front.len().checked_sub(self.early_size);
        let early = &front[early_at.ok_or_else(untouched)?..];
        let arrival = Arrival {
            size: LandingSize {
                head: HEADER_SIZE,
                body: self.header.size() - HEADER_SIZE,
            },
            early: &early[HEADER_SIZE..],
            count: self.header.record_count as u32,
            append_time_ms: now_ms,
            producer: produce::producer(&self.header),
        };
        let mut head = self.head;
        let head = &mut head;
        let appended = partition.land(&arrival, incoming, self.behind_size, |body, behind| {
            self.check(body, behind, limits, now_ms, head)
        })?;
        Ok(Taken::of(&appended, partition, limits))
    }

    /// The batch, if nothing is wrong with what has landed.
    fn check<'b>(
        &self,
        body: &mut Body<'_, '_>,
        behind: &[u8],
        limits: &Limits,
        now_ms: i64,
        head: &'b mut [u8; HEADER_SIZE],
    ) -> Option<Batch<'b>> {
        if behind.iter().any(|byte| *byte != 0) {
            return None;
        }
        // First, for it goes through all of the body in one go: the records are then found in a nearer cache.
        if body.crc_behind(&self.head[CRC_FROM..]).ok()? != self.header.crc {
            return None;
        }
        let validation = Validation::new(now_ms);
        let valid = validation
            .records_elsewhere(self.header, body, limits)
            .ok()?;
        if let Some(corrected) = valid.corrected {
            *head = corrected;
        }
        Some(produce::batch(&valid, now_ms, &*head, &[]))
    }

    fn answer(self, now_ms: i64, context: &Context<'_>, taken: Taken) -> Answer {
        let mut run = Run::new(self.call, self.acks, now_ms, self.timeout_ms, context.now);
        run.landed_size = self.header.size() as u64;
        run.done.push(Ok(taken));
        run.answer(&produce::request_for(
            self.topic.name().as_str(),
            self.partition,
        ))
    }
}
