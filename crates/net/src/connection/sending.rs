//! What is answered goes into the socket, and what of it is not in memory is fetched before.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_transfer::{Cold, FETCH_SIZE_MAX, Progress, SendError};
use rustix::net::sockopt;

use super::Connection;
use crate::ending::Ending;
use crate::fetchers::{self, ColdReads, Wish};
use crate::local::Local;

/// A send moves 2 MiB at most: one that takes so long has waited for the disk, or for the processor.
const SLOW_SEND: Duration = Duration::from_millis(10);

/// What is fetched at a time while others wait for syncs: a sync comes behind the read that is under way.
const FETCH_SIZE_BESIDE_SYNCS: u64 = 64 * 1024;

impl Connection {
    pub(super) fn flush(&mut self, local: &mut Local, now: Instant) -> Result<Progress, Ending> {
        if self.sender.is_empty() || !self.writable || self.fetching || self.hung_up {
            return Ok(Progress::Done);
        }
        let before = self.sender.size();
        let begin = Instant::now();
        let progress = self
            .sender
            .send(self.socket.as_fd(), &mut local.paths)
            .map_err(Ending::Send)?;
        local.counts.slow_sends += u64::from(begin.elapsed() >= SLOW_SEND);
        if self.sender.size() < before {
            self.progress = now;
        }
        self.writable = progress != Progress::Blocked;
        if progress == Progress::Cold {
            self.fetch(local, now)?;
        }
        Ok(progress)
    }

    /// Tells the socket's end from word of sends without copying, which comes the same way.
    pub(super) fn take_error(&mut self, local: &mut Local) {
        let socket = self.socket.as_fd();
        self.sender.complete(socket, &mut local.paths);
        self.hung_up |= !matches!(sockopt::socket_error(socket), Ok(Ok(())));
    }

    /// Has the next bytes brought into memory, and waits.
    pub(super) fn fetch(&mut self, local: &mut Local, now: Instant) -> Result<(), Ending> {
        let beside_syncs = local.is_beside_syncs(now);
        let size_max = match beside_syncs {
            true => FETCH_SIZE_BESIDE_SYNCS,
            false => FETCH_SIZE_MAX,
        };
        let Some(cold) = self.sender.cold(size_max) else {
            return Ok(());
        };
        local.counts.fetches += 1;
        local.counts.fetched_bytes += cold.size();
        let behind = match local.shared.limits.cold_reads {
            ColdReads::LetGo => self.behind.push(cold.clone()),
            ColdReads::Keep | ColdReads::Wait => Vec::new(),
        };
        self.fetching = true;
        let wish = Wish { cold, beside_syncs };
        let submitted = self.submit_fetch(local, Some(wish), behind);
        submitted.then_some(()).ok_or(Ending::FetchersFull)
    }

    pub(super) fn submit_fetch(
        &self,
        local: &Local,
        wish: Option<Wish>,
        behind: Vec<Cold>,
    ) -> bool {
        local.fetchers.submit(fetchers::Job {
            wish,
            behind,
            key: self.key,
            mailbox: Arc::clone(&local.mailbox),
            permit: Arc::clone(&self.permit),
        })
    }

    /// Takes what a fetcher says.
    pub(crate) fn fetched(&mut self, outcome: Option<Result<(), SendError>>, now: Instant) {
        self.fetching = false;
        self.progress = now;
        match outcome {
            Some(Ok(())) => self.sender.fetched(),
            Some(Err(error)) => self.fail(Ending::Send(error)),
            None => self.fail(Ending::FetchPanicked),
        }
    }
}
