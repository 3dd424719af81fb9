//! Groups of real clients under load: members come, are killed and leave, and the broker is killed among them.
//!
//! Every kind of client has a group of its own on the same topic, and one group is of several kinds. All of them go through the same steps at once:
//!
//! ```text
//!  two members ─▶ a third ─▶ kill -9 a member ─▶ kill -9 the broker ─▶ a member leaves ─▶ the load ends ─▶ all leave
//! ```
//!
//! After each step the runner waits until every group has read on in every partition. In the end each record that was acknowledged has been read in
//! each group, and each group has committed all of it. A member says what it has read before it commits it, so what is committed and was not said would be lost.

mod kind;
mod load;
mod member;
mod shell;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pagelog_kafka::codec::offset_fetch::OffsetFetchTopic;
use pagelog_kafka::codec::{
    ListGroupsRequest, ListGroupsResponse, OffsetFetchRequest, OffsetFetchResponse,
};

use super::port_of;
use crate::broker::{Broker, Setup};
use crate::report::Report;
use crate::setup::Tools;
use crate::wire::Connection;
use kind::Kind;
use load::Load;
use member::Group;
use shell::Shell;

/// The topic of all groups.
const TOPIC: &str = "shared";

/// Its partitions.
const PARTITIONS: usize = 6;

/// Longer than a killed member's session, and than any client's wait for a broker that was killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The version of OffsetFetch that the runner speaks: one group, no flexible fields.
const OFFSET_FETCH: i16 = 5;

/// The version of ListGroups that the runner speaks: the first that tells types.
const LIST_GROUPS: i16 = 5;

/// The sessions are short, so that a killed member is soon missed.
const SETTINGS: [&str; 10] = [
    "--set",
    "kafka.group.min.session.timeout.ms=1000",
    "--set",
    "kafka.group.initial.rebalance.delay.ms=200",
    "--set",
    "kafka.group.consumer.session.timeout.ms=3000",
    "--set",
    "kafka.group.consumer.heartbeat.interval.ms=300",
    "--set",
    "segment.bytes=4194304",
];

/// Runs the groups of every client that `tools` has.
pub(super) fn run(
    tools: &Tools,
    broker: &Path,
    directory: &Path,
    report: &mut Report,
) -> Result<()> {
    let data = tempfile::tempdir_in(directory)?;
    let mut setup = Setup::new(broker, data.path()).with(&SETTINGS);
    let broker = setup.start()?;
    setup.port = port_of(broker.address())?;
    let address = broker.address().to_owned();
    let mut connection = Connection::open(&address)?;
    connection.create_topic(TOPIC, PARTITIONS as i32)?;
    let java = tools.java.as_ref();
    let shell = java.map(|java| Shell::start(java, &address, directory));
    let groups = Kind::all(tools, directory)?
        .into_iter()
        .map(|kind| Group::new(kind, &address, directory));
    let mut run = Run {
        load: Load::start(&address)?,
        shell: shell.transpose()?,
        groups: groups.collect(),
        address,
        broker: Some(broker),
        setup,
    };
    let done = run.steps(report);
    let outcome = done.with_context(|| "data and logs are kept".to_owned());
    if outcome.is_err() {
        println!("kept: {}", data.keep().display());
    }
    outcome
}

struct Run {
    load: Load,
    shell: Option<Shell>,
    groups: Vec<Group>,
    address: String,
    broker: Option<Broker>,
    setup: Setup,
}

impl Run {
    fn steps(&mut self, report: &mut Report) -> Result<()> {
        self.each("two members read", report, |group| {
            group.add(0)?;
            group.add(1)
        });
        self.each("a third joins", report, |group| group.add(2));
        self.each("a member is killed", report, |group| group.kill(0));
        let broker = self.broker.take().context("the broker runs")?;
        self.restart(broker)?;
        self.each("the broker was killed", report, |_| Ok(()));
        if let Some(shell) = &self.shell {
            shell.go_on("the broker was killed", report);
        }
        self.each("a member leaves", report, |group| group.leave(1));
        self.finish(report)
    }

    /// Does a step in every group at once, then waits until each has read on: in every partition, and by every member.
    fn each(&mut self, step: &str, report: &mut Report, act: impl Fn(&mut Group) -> Result<()>) {
        for group in &mut self.groups {
            if group.failed.is_none() {
                group.failed = act(group).err();
            }
        }
        let ends = self.load.acknowledged();
        for group in &mut self.groups {
            let deadline = Instant::now() + PATIENCE;
            let name = format!("group of {}: {step}", group.name());
            let passed = report.case(&name, || match group.failed.take() {
                Some(error) => Err(error),
                None => group.wait_read_on(&ends, deadline),
            });
            if !passed {
                group.give_up();
            }
        }
    }

    fn restart(&mut self, mut broker: Broker) -> Result<()> {
        broker.kill()?;
        self.broker = Some(self.setup.start()?);
        Ok(())
    }

    /// What was acknowledged has been read and committed by every group.
    fn finish(&mut self, report: &mut Report) -> Result<()> {
        let ends = self.load.stop()?;
        let mut connection = Connection::open(&self.address)?;
        for group in &mut self.groups {
            let name = format!(
                "group of {}: everything is read and committed",
                group.name()
            );
            report.case(&name, || {
                group.wait_all(&ends, Instant::now() + PATIENCE)?;
                group.leave_all()?;
                let committed = committed(&mut connection, group.name(), TOPIC)?;
                // Offsets are those of the next record to read.
                let expected: Vec<i64> = ends.iter().map(|last| last + 1).collect();
                ensure!(
                    committed == expected,
                    "committed {committed:?}, expected {expected:?}"
                );
                let listed = type_of(&mut connection, group.name())?;
                let expected = group.group_type();
                ensure!(listed == expected, "a {listed} group, not a {expected} one");
                Ok(())
            });
        }
        if let Some(shell) = self.shell.take() {
            shell.finish(&mut connection, report);
        }
        drop(connection);
        let broker = self.broker.take().context("the broker runs")?;
        report.case("the broker of the groups stops cleanly", || {
            broker.stop().map(drop)
        });
        Ok(())
    }
}

/// Whether the group is `classic` or one of the `consumer` protocol: a client might say nothing and fall back.
fn type_of(connection: &mut Connection, group_id: &str) -> Result<String> {
    let id = connection.send(LIST_GROUPS, &ListGroupsRequest::default())?;
    let mut frame = Vec::new();
    let answer: ListGroupsResponse = connection.receive(LIST_GROUPS, id, &mut frame)?;
    let mut groups = answer.groups.into_iter();
    let group = groups.find(|group| group.group_id == group_id);
    Ok(group.context("the group is not listed")?.group_type)
}

/// What a group has committed, by partition.
fn committed(connection: &mut Connection, group_id: &str, topic: &str) -> Result<Vec<i64>> {
    let request = OffsetFetchRequest {
        group_id,
        topics: Some(vec![OffsetFetchTopic {
            name: topic,
            partition_indexes: (0..PARTITIONS as i32).collect(),
        }]),
        ..Default::default()
    };
    let id = connection.send(OFFSET_FETCH, &request)?;
    let mut frame = Vec::new();
    let answer: OffsetFetchResponse = connection.receive(OFFSET_FETCH, id, &mut frame)?;
    let topic = answer.topics.first().context("no topic in the answer")?;
    Ok(topic.partitions.iter().map(|one| one.offset).collect())
}
