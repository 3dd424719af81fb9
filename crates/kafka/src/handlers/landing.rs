//! Produce, from the socket straight into the log: one plain batch for one partition, checked where it lies.
//!
//! What can be decided by the front of the request is decided by it. Whatever is not as it should be is taken back and goes through
//! [`super::produce`] like any other request, which knows the answer.

use pagelog_store::answer::{Answer, Context, Incoming, Landed};
use pagelog_store::{Arrival, Batch, Body, LandingSize, NotLanded, Partition, Topic, now_ms};

use std::sync::Arc;

use super::connection::{Call, Connection};
use super::produce::{self, Acks, Refused, Run, Taken};
use crate::batch::{BatchHeader, CRC_FROM, Codec, HEADER_SIZE, Limits, Validation};
use crate::codec::ErrorCode;
use crate::codec::produce_front::ProduceFront;

/// A request that can land.
struct Plan<'a> {
    front: ProduceFront<'a>,
    acks: Acks,
    topic: Arc<Topic>,
    head: &'a [u8; HEADER_SIZE],
    header: BatchHeader,
}

impl Connection {
    /// As [`pagelog_store::answer::Handler::lands`].
    pub(super) fn can_land(&self, front: &[u8], size: usize) -> bool {
        self.plan(front, size).is_some()
    }

    /// As [`pagelog_store::answer::Handler::land`].
    pub(super) fn land_batch(
        &self,
        front: &[u8],
        size: usize,
        incoming: &mut dyn Incoming,
        context: &Context<'_>,
    ) -> Landed {
        let Some(plan) = self.plan(front, size) else {
            return Landed::TakenBack(Vec::new());
        };
        let header = &plan.front.header;
        let call = self.call(
            header.version,
            header.correlation_id,
            header.client_id,
            context,
        );
        let limits = produce::limits(&call, plan.topic.config());
        let now_ms = now_ms();
        match plan.land(&limits, now_ms, incoming) {
            Ok(taken) => Landed::Answered(plan.answer(call, now_ms, context, Ok(taken))),
            Err(NotLanded::TakenBack(bytes)) => Landed::TakenBack(bytes),
            Err(NotLanded::Failed(error)) => {
                let refused = Refused::plain(ErrorCode::KAFKA_STORAGE_ERROR, &error.to_string());
                Landed::Answered(plan.answer(call, now_ms, context, Err(refused)))
            }
        }
    }

    fn plan<'a>(&self, front: &'a [u8], size: usize) -> Option<Plan<'a>> {
        let front = ProduceFront::read(front, size)?;
        let acks = produce::acks(front.acks)?;
        let head = front.early.first_chunk::<HEADER_SIZE>()?;
        let header = BatchHeader::parse(head).ok()?;
        let topic = self.broker().topic(front.topic)?;
        topic.partition(front.partition)?;
        let whole = header.size() == front.records_size
            && matches!(header.codec(), Ok(Codec::None))
            && !header.is_transactional()
            && header.record_count > 0;
        (whole && produce::check_insync(acks, topic.config()).is_ok()).then_some(Plan {
            front,
            acks,
            topic,
            head,
            header,
        })
    }
}

impl Plan<'_> {
    fn land(
        &self,
        limits: &Limits,
        now_ms: i64,
        incoming: &mut dyn Incoming,
    ) -> Result<Taken, NotLanded> {
        let untouched = || NotLanded::TakenBack(Vec::new());
        let partition: &Partition = self
            .topic
            .partition(self.front.partition)
            .ok_or_else(untouched)?;
        if self.header.size() > limits.size_max {
            return Err(untouched());
        }
        let arrival = Arrival {
            size: LandingSize {
                head: HEADER_SIZE,
                body: self.header.size() - HEADER_SIZE,
            },
            early: &self.front.early[HEADER_SIZE..],
            count: self.header.record_count as u32,
            append_time_ms: now_ms,
            producer: produce::producer(&self.header),
        };
        let mut head = *self.head;
        let head = &mut head;
        let behind_size = self.front.behind_size;
        let appended = partition.land(&arrival, incoming, behind_size, |body, behind| {
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
        let validation = Validation::new(now_ms);
        let valid = validation
            .records_elsewhere(self.header, &mut *body, limits)
            .ok()?;
        if body.crc_behind(&self.head[CRC_FROM..]).ok()? != self.header.crc {
            return None;
        }
        if let Some(corrected) = valid.corrected {
            *head = corrected;
        }
        Some(produce::batch(&valid, now_ms, &*head, &[]))
    }

    fn answer(
        &self,
        call: Call,
        now_ms: i64,
        context: &Context<'_>,
        done: Result<Taken, Refused>,
    ) -> Answer {
        let mut run = Run::new(call, self.acks, now_ms, self.front.timeout_ms, context.now);
        run.landed_size = self.front.records_size as u64;
        run.done.push(done);
        run.answer(&produce::request_of(&self.front))
    }
}
