//! Topics that are made, filled and deleted all the while, so that most of the log is of no use, and what counts is moved about.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::world::World;
use crate::random::Random;
use crate::wire::Connection;
use crate::wire::batch::{self, Sender};

/// How much one batch takes, about.
const BATCH_SIZE: usize = 30_000;

/// Who litters, on a thread of its own.
pub(crate) struct Litter {
    world: Arc<World>,
    random: Random,
    topics: u64,
}

impl Litter {
    pub(crate) fn new(world: Arc<World>, seed: u64) -> Litter {
        Litter {
            world,
            random: Random::new(seed ^ 0x117),
            topics: 0,
        }
    }

    /// Works until the test is over.
    pub(crate) fn run(mut self) {
        while let Some((address, generation)) = self.world.wait_address() {
            if let Err(error) = self.session(&address) {
                self.world.lost(generation, "who litters", &error);
            }
        }
    }

    /// What is acknowledged here is of no interest to anybody.
    fn session(&mut self, address: &str) -> Result<()> {
        let mut connection = Connection::open(address)?;
        while !self.world.is_over() {
            self.topics += 1;
            let name = format!("litter-{}", self.topics);
            let _ = connection.create_topic(&name, 1)?;
            for _ in 0..self.random.within(2..12) {
                let values = vec![vec![0; BATCH_SIZE]];
                let batch = batch::encode(Sender::ANONYMOUS, 1_700_000_000_000, &values);
                let id = connection.send_batch(&name, 0, -1, &batch)?;
                let _ = connection.receive_batch_answer(id)?;
                thread::sleep(Duration::from_millis(self.random.below(4)));
            }
            connection.delete_topic(&name)?;
        }
        Ok(())
    }
}
