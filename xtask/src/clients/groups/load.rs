//! A small steady load on every partition, which goes on when the broker has been killed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{PARTITIONS, PATIENCE, TOPIC};
use crate::wire::{Connection, batch};

/// How often a record goes to every partition. Not for correctness: a faster load only takes more of the processor.
const PACE: Duration = Duration::from_millis(40);

/// A thread that produces with acks=all.
pub(super) struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// The last offset acknowledged in each partition, -1 if none.
    acknowledged: Mutex<Vec<i64>>,
    stop: AtomicBool,
}

impl Load {
    /// Starts it, and waits until something is acknowledged in every partition.
    pub(super) fn start(address: &str) -> Result<Load> {
        let shared = Arc::new(Shared {
            acknowledged: Mutex::new(vec![-1; PARTITIONS]),
            ..Shared::default()
        });
        let (own, address) = (Arc::clone(&shared), address.to_owned());
        let load = Load {
            shared,
            thread: Some(thread::spawn(move || own.run(&address))),
        };
        let deadline = Instant::now() + PATIENCE;
        while load.acknowledged().contains(&-1) {
            ensure!(Instant::now() < deadline, "nothing is acknowledged");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(load)
    }

    /// The last offset acknowledged in each partition.
    pub(super) fn acknowledged(&self) -> Vec<i64> {
        let acknowledged = self.shared.acknowledged.lock();
        acknowledged.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it. The offset of the last record in each partition, acknowledged or not.
    pub(super) fn stop(&mut self) -> Result<Vec<i64>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it was stopped before")?;
        if thread.join().is_err() {
            bail!("the load has panicked");
        }
        Ok(self.acknowledged())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn run(&self, address: &str) {
        while !self.stop.load(Ordering::Relaxed) {
            // A broker that was killed is there again soon.
            if self.produce(address).is_err() {
                thread::sleep(PACE);
            }
        }
    }

    /// One round after the other; the last before the end is acknowledged whole, so what it says is the last record of each partition.
    fn produce(&self, address: &str) -> Result<()> {
        let mut connection = Connection::open(address)?;
        while !self.stop.load(Ordering::Relaxed) {
            for partition in 0..PARTITIONS {
                let record = batch::encode(batch::Sender::ANONYMOUS, 1000, &[b"x".to_vec()]);
                let id = connection.send_batch(TOPIC, partition as i32, -1, &record)?;
                let answer = connection.receive_batch_answer(id)?;
                let offset = answer.map_err(|error| anyhow::anyhow!("refused: {error}"))?;
                let mut acknowledged = self
                    .acknowledged
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                acknowledged[partition] = offset;
            }
            thread::sleep(PACE);
        }
        Ok(())
    }
}
