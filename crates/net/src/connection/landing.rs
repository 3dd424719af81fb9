//! A long frame on its way from the socket straight to where the handler wants it; [`crate::landing`] says whether and when.

use std::os::fd::AsFd;
use std::time::Instant;

use pagelog_os::receive::Seen;
use pagelog_store::answer::{Context, Landed};
use rustix::io::{self, Errno};
use rustix::net::{RecvFlags, recv};

use super::Connection;
use crate::answers::Slot;
use crate::contain::contain;
use crate::frame::{self, Front, PREFIX_SIZE};
use crate::inbox::Inbox;
use crate::landing::{Arrival, FRONT_SIZE, Next};
use crate::local::Local;
use crate::slots::Token;

/// What became of an attempt to land a frame.
pub(super) enum Step {
    /// It is taken, or waits.
    Done,
    /// It is to be received as any other.
    Gather,
}

impl Connection {
    /// Looks at the front of the next frame. It stays in the socket, to be taken out with the rest, so that the frame takes one turn and not two;
    /// if it is a long one, the inbox has a copy.
    pub(super) fn look_at_front(&mut self, local: &mut Local, now: Instant) -> io::Result<()> {
        let mut front = [0; FRONT_SIZE];
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        let (size, _) = recv(&self.socket, &mut front, flags)?;
        let limit = local.shared.limits.frame_size_max;
        if let Ok(Front::Part(Some(frame_size))) = frame::front(&front[..size], limit)
            && self.landing.is_long(frame_size)
        {
            self.progress = now;
            local.counts.carried_bytes += size as u64;
            self.landing.saw(size);
            self.inbox.keep(&front[..size]);
        }
        Ok(())
    }

    /// Takes out of the socket what was looked at there: the inbox has it.
    pub(super) fn receive_front(&mut self) -> io::Result<()> {
        let mut front = [0; FRONT_SIZE];
        while self.landing.seen() > 0 {
            let front = &mut front[..self.landing.seen()];
            match recv(&self.socket, front, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Err(Errno::CONNRESET),
                Ok((size, _)) => self.landing.saw(self.landing.seen() - size),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes a long frame from the socket straight to where the handler wants it, once all of its rest waits there.
    pub(super) fn land(&mut self, size: usize, local: &mut Local, now: Instant) -> Step {
        let front = &self.inbox.unhandled()[PREFIX_SIZE..];
        let frame_size = size - PREFIX_SIZE;
        let handler = &mut self.handler;
        let arrival = Arrival {
            front: front.len(),
            rest: frame_size - front.len() + self.landing.seen(),
            ended: self.peer_ended || self.hung_up,
        };
        let landing = || contain(|| handler.landing(front, frame_size, now)).flatten();
        match self.landing.ask(&self.socket, arrival, now, landing) {
            Next::Gather => Step::Gather,
            Next::Wait(until) => {
                self.readable = false;
                self.bring_timer_forward(Some(until), local);
                Step::Done
            }
            Next::Land { land, more } => {
                let token = self.next_token();
                let context = Context {
                    now,
                    notify: &local.notify,
                    token: token.to_u64(),
                };
                let front = &self.inbox.unhandled()[PREFIX_SIZE..];
                let mut incoming = Seen::new(self.socket.as_fd(), self.landing.seen());
                let landed = contain(|| land(front, &mut incoming, &context));
                self.landing.saw(incoming.left());
                self.landed(landed, size, more, token, local, now)
            }
        }
    }

    pub(super) fn landed(
        &mut self,
        landed: Option<Landed>,
        size: usize,
        more: bool,
        token: Token,
        local: &mut Local,
        now: Instant,
    ) -> Step {
        self.progress = now;
        match landed {
            Some(Landed::TakenBack(bytes)) => {
                self.landing.refused(&self.socket, bytes.len());
                local.counts.landings_refused += u64::from(!bytes.is_empty());
                if bytes.is_empty() {
                    return Step::Gather;
                }
                local.counts.carried_bytes += bytes.len() as u64;
                self.inbox.extend(&bytes);
                self.handle_inbox(local, now);
            }
            Some(Landed::Answered(answer)) => {
                local.counts.frames += 1;
                local.counts.landed += 1;
                local.counts.landed_bytes += (size - self.inbox.unhandled().len()) as u64;
                local.received(self.key, size - self.inbox.unhandled().len(), now);
                self.inbox = Inbox::default();
                self.readable = self.landing.next_frame(&self.socket)
                    || more
                    || self.peer_ended
                    || self.hung_up;
                self.answers.push(Slot::at_work());
                self.take_answer(token, answer, size - PREFIX_SIZE, local, now);
                self.answers.release(&mut self.sender);
            }
            None => {
                self.answers.push(Slot::at_work());
                self.broken(token.sequence);
            }
        }
        Step::Done
    }
}
