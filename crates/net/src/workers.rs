//! The threads for frames that have to block or to think for long.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use pagelog_store::answer::{Answer, CloseReason, Work};

use crate::contain::contain;
use crate::mailbox::{Mailbox, Message};
use crate::server::Permit;

/// One frame's work and where its answer goes.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) token: u64,
    pub(crate) mailbox: Arc<Mailbox>,
    /// The connection counts until its work is done, even if it closes meanwhile: so the queue cannot outgrow
    /// the number of connections, by one job each.
    pub(crate) permit: Arc<Permit>,
}

/// The way to the workers; they end when the last clone is dropped and the queue is empty.
#[derive(Clone)]
pub(crate) struct Workers(Sender<Job>);

impl Workers {
    /// Starts `count` threads; `queue_max` jobs can wait.
    pub(crate) fn start(
        count: usize,
        queue_max: usize,
    ) -> io::Result<(Workers, Vec<JoinHandle<()>>)> {
        let (sender, receiver) = bounded(queue_max);
        let threads = (0..count).map(|index| {
            let receiver: Receiver<Job> = receiver.clone();
            thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || receiver.iter().for_each(Job::run))
        });
        Ok((Workers(sender), threads.collect::<io::Result<_>>()?))
    }

    /// Queues a job; false if the queue is full, which the permits rule out.
    pub(crate) fn submit(&self, job: Job) -> bool {
        match self.0.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

impl Job {
    fn run(self) {
        let answer = contain(self.work)
            .unwrap_or_else(|| Answer::Close(CloseReason::new("its handler panicked")));
        drop(self.permit);
        self.mailbox.post(Message::Worked {
            token: self.token,
            answer,
        });
    }
}

/// Waits for `threads` to end, until `deadline`; leaves those behind that are stuck, with one log line.
pub(crate) fn join(threads: Vec<JoinHandle<()>>, deadline: Instant) {
    for thread in threads {
        while !thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        let name = thread.thread().name().unwrap_or_default().to_owned();
        if !thread.is_finished() {
            tracing::warn!("{name} is still busy and is left behind");
        } else if thread.join().is_err() {
            tracing::error!("{name} has panicked");
        }
    }
}
