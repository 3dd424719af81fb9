//! Reading what the matrix holds: from offsets, beginnings, times and ends, by every client that can.

use anyhow::{Context, Result, ensure};

use super::super::client::{Client, Codec, Confirmation, Partition, Start};
use super::super::compare::{compare, first_at, middle_time};
use super::topics::create_settled;
use super::{Matrix, position};
use crate::report::Report;

impl Matrix {
    /// Every reader reads every partition from its beginning, from a time within a batch, and asks for its offsets.
    pub(crate) fn read_all(&mut self, clients: &mut [Box<dyn Client>], report: &mut Report) {
        for client in clients {
            for (partition, expected) in &self.contents {
                let Partition { topic, index } = partition;
                let what = format!("{} {topic}/{index}", client.name());
                let framed = self.framed.contains(partition);
                if client.reads() && (!framed || client.reads_framed_snappy()) {
                    report.case(
                        &format!("{what}: read {} from the beginning", expected.len()),
                        || {
                            self.read(
                                client.as_mut(),
                                partition,
                                Start::Beginning,
                                0,
                                expected.len(),
                            )
                        },
                    );
                    report.case(&format!("{what}: read from a time"), || {
                        self.read_from_time(client.as_mut(), partition)
                    });
                }
                report.case(&format!("{what}: ask for offsets"), || {
                    self.ask_offsets(client.as_mut(), partition)
                });
            }
        }
    }

    /// Reads `count` records that must be those from offset `first` on.
    pub(super) fn read(
        &self,
        client: &mut dyn Client,
        partition: &Partition,
        start: Start,
        first: usize,
        count: usize,
    ) -> Result<()> {
        client.open(partition, start)?;
        let received = client.take(count);
        client.close()?;
        let expected = self
            .contents
            .get(partition)
            .context("nothing was sent there")?;
        compare(client, &expected[first..first + count], first, &received?)
    }

    /// Begins to read at the time of a record in the middle of the partition.
    fn read_from_time(&self, client: &mut dyn Client, partition: &Partition) -> Result<()> {
        let expected = self
            .contents
            .get(partition)
            .context("nothing was sent there")?;
        let timestamp = middle_time(expected);
        let first = first_at(expected, timestamp).context("no record is so young")?;
        let count = (expected.len() - first).min(5);
        self.read(client, partition, Start::Timestamp(timestamp), first, count)
    }

    /// Asks for both ends, for a time in the middle, and for one after the last record.
    fn ask_offsets(&self, client: &mut dyn Client, partition: &Partition) -> Result<()> {
        let expected = self
            .contents
            .get(partition)
            .context("nothing was sent there")?;
        for timestamp in [0, middle_time(expected), 1 << 42] {
            let offsets = client.offsets(partition, timestamp)?;
            let wanted = (
                0,
                position(expected.len()),
                first_at(expected, timestamp).map(position),
            );
            let found = (offsets.beginning, offsets.end, offsets.at);
            ensure!(
                found == wanted,
                "beginning, end and time {timestamp} are at {found:?}, not at {wanted:?}"
            );
        }
        Ok(())
    }

    /// Every reader waits at the end of a partition while another client sends.
    pub(crate) fn read_from_end(
        &mut self,
        clients: &mut [Box<dyn Client>],
        report: &mut Report,
    ) -> Result<()> {
        let to = Partition {
            topic: self.topic("end"),
            index: 0,
        };
        create_settled(clients[0].as_mut(), &to.topic, 1)?;
        for reader in (0..clients.len())
            .filter(|index| clients[*index].reads())
            .collect::<Vec<_>>()
        {
            let writer = (reader + 1) % clients.len();
            let name = format!(
                "{} waits at the end for {}",
                clients[reader].name(),
                clients[writer].name()
            );
            report.case(&name, || {
                clients[reader].open(&to, Start::End)?;
                let first = self.contents.get(&to).map_or(0, Vec::len);
                self.produce_set(clients[writer].as_mut(), &to, Codec::Lz4, Confirmation::All)?;
                let expected = &self.contents[&to][first..];
                let received = clients[reader].take(expected.len())?;
                clients[reader].close()?;
                compare(clients[reader].as_ref(), expected, first, &received)
            });
        }
        Ok(())
    }
}
