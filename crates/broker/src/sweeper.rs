//! The thread that now and then looks for what has run out in groups, for those that nobody else looks at.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pagelog_kafka::Kafka;

/// The running thread; dropping it ends it.
pub(crate) struct Sweeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Sweeps the groups of `kafka` every `interval`.
    pub(crate) fn start(kafka: Kafka, interval: Duration) -> io::Result<Sweeper> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("groups".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    kafka.sweep_groups();
                }
            })?;
        Ok(Sweeper {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that sweeps the groups has panicked");
        }
    }
}
