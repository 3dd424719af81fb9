//! Which groups there are: of which clients their members are, and how each of those is started, read and ended.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::super::jvm::{Jvm, VERIFIABLE_CONSUMER};
use super::TOPIC;
use crate::setup::{self, NodeClients, Tools};

/// A kind of group: what its members are, in turn.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) programs: Vec<Program>,
    /// Whether the broker shares out (KIP-848), and not the members.
    pub(super) by_broker: bool,
}

/// One sort of member.
#[derive(Clone)]
pub(super) struct Program {
    /// The program and what comes before the arguments of every member.
    command: Vec<OsString>,
    /// The value of `NODE_PATH`, for Node.
    modules: Option<OsString>,
    /// How the group is shared out, in the client's words.
    sharing: &'static str,
    /// Whether its members have instance ids.
    owned: bool,
    pub(super) manner: Manner,
}

/// How a member is told what to do, and tells what it has done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// A `member_*` of `tests/clients`: lines of `[[partition, offset], …]`; it leaves when its input ends.
    Own,
    /// Kafka's verifiable consumer: lines of events; it leaves on SIGTERM.
    Verifiable,
}

impl Kind {
    /// Every kind that the tools allow. Files that members need are written to `directory`.
    pub(super) fn all(tools: &Tools, directory: &Path) -> std::io::Result<Vec<Kind>> {
        let mut kinds = of_python(tools);
        kinds.extend(of_node(tools));
        kinds.extend(of_franz(tools));
        kinds.extend(of_rdkafka(tools));
        kinds.extend(of_java(tools, directory)?);
        Ok(kinds)
    }

    fn of(name: &'static str, programs: &[&Program]) -> Kind {
        let programs: Vec<Program> = programs.iter().copied().cloned().collect();
        Kind {
            name,
            by_broker: programs.iter().all(|one| one.sharing == "consumer"),
            programs,
        }
    }
}

fn of_python(tools: &Tools) -> Vec<Kind> {
    let Some(python) = &tools.python else {
        return Vec::new();
    };
    let member = |file: &str, sharing| {
        Program::own(
            vec![python.into(), setup::agents().join(file).into()],
            sharing,
        )
    };
    let confluent = |sharing| member("member_confluent.py", sharing);
    let kafka_python = member("member_kafka_python.py", "range");
    let aiokafka = member("member_aiokafka.py", "range");
    vec![
        Kind::of("confluent-range", &[&confluent("range")]),
        Kind::of("confluent-cooperative", &[&confluent("cooperative-sticky")]),
        Kind::of("confluent-consumer", &[&confluent("consumer")]),
        Kind::of(
            "confluent-static",
            &[&confluent("range").with_instance_ids()],
        ),
        Kind::of("kafka-python", &[&kafka_python]),
        Kind::of("aiokafka", &[&aiokafka]),
        Kind::of("mixed", &[&kafka_python, &confluent("range"), &aiokafka]),
    ]
}

fn of_node(tools: &Tools) -> Vec<Kind> {
    let member = |node: &NodeClients, file: &str, sharing| Program {
        modules: Some(node.modules.clone().into()),
        ..Program::own(
            vec![(&node.node).into(), setup::agents().join(file).into()],
            sharing,
        )
    };
    let mut kinds = Vec::new();
    if let Some(node) = &tools.node {
        kinds.push(Kind::of(
            "kafkajs",
            &[&member(node, "member_kafkajs.js", "")],
        ));
    }
    if let Some(node) = &tools.platformatic {
        let member = |sharing| member(node, "member_platformatic.js", sharing);
        kinds.push(Kind::of("platformatic", &[&member("classic")]));
        kinds.push(Kind::of("platformatic-consumer", &[&member("consumer")]));
    }
    kinds
}

fn of_rdkafka(tools: &Tools) -> Vec<Kind> {
    let Some(program) = &tools.rdkafka else {
        return Vec::new();
    };
    let member = |sharing| Program::own(vec![program.into(), "member".into()], sharing);
    vec![
        Kind::of("rdkafka-cooperative", &[&member("cooperative-sticky")]),
        Kind::of("rdkafka-consumer", &[&member("consumer")]),
    ]
}

fn of_franz(tools: &Tools) -> Vec<Kind> {
    let Some(franz) = &tools.franz else {
        return Vec::new();
    };
    let member = |sharing| Program::own(vec![franz.into()], sharing);
    vec![
        Kind::of("franz-go", &[&member("cooperative")]),
        Kind::of("franz-go-consumer", &[&member("consumer")]),
    ]
}

/// What a member that is to be missed soon, and to miss the broker soon, sets beside what it is told by arguments.
const JAVA_SETTINGS: &str = "fetch.max.wait.ms=100\nreconnect.backoff.max.ms=500\n";

/// What it sets where the group is shared out by the members.
const JAVA_CLASSIC_SETTINGS: &str = "heartbeat.interval.ms=300\n";

fn of_java(tools: &Tools, directory: &Path) -> std::io::Result<Vec<Kind>> {
    let Some(java) = &tools.java else {
        return Ok(Vec::new());
    };
    let settings = directory.join("java-member.properties");
    let classic_settings = directory.join("java-classic-member.properties");
    std::fs::write(&settings, JAVA_SETTINGS)?;
    std::fs::write(
        &classic_settings,
        [JAVA_SETTINGS, JAVA_CLASSIC_SETTINGS].concat(),
    )?;
    let member = |jvm: &Jvm, sharing| {
        let settings = match sharing {
            "consumer" => &settings,
            _ => &classic_settings,
        };
        Program::verifiable(jvm, sharing, settings)
    };
    let [old, new] = &java.releases;
    let range = "org.apache.kafka.clients.consumer.RangeAssignor";
    let cooperative = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    let mut kinds = vec![
        Kind::of(
            "java-cooperative",
            &[&member(old, cooperative), &member(new, cooperative)],
        ),
        Kind::of("java-static", &[&member(new, range).with_instance_ids()]),
        Kind::of(
            "java-consumer",
            &[&member(new, "consumer"), &member(old, "consumer")],
        ),
    ];
    if let Some(python) = &tools.python {
        let file = setup::agents().join("member_confluent.py");
        let confluent = Program::own(vec![python.into(), file.into()], "range");
        kinds.push(Kind::of(
            "mixed-java",
            &[&member(old, range), &confluent, &member(new, range)],
        ));
    }
    Ok(kinds)
}

impl Program {
    fn own(command: Vec<OsString>, sharing: &'static str) -> Program {
        Program {
            command,
            modules: None,
            sharing,
            owned: false,
            manner: Manner::Own,
        }
    }

    fn verifiable(jvm: &Jvm, sharing: &'static str, settings: &Path) -> Program {
        let java = jvm.command(VERIFIABLE_CONSUMER);
        let mut command = vec![java.get_program().to_owned()];
        command.extend(java.get_args().map(OsString::from));
        // The option has another name since 4.2, and the old one makes words among the events.
        let option = match jvm.version {
            "3.9" => "--consumer.config",
            _ => "--command-config",
        };
        command.extend([option.into(), settings.into()]);
        Program {
            manner: Manner::Verifiable,
            ..Program::own(command, sharing)
        }
    }

    fn with_instance_ids(self) -> Program {
        Program {
            owned: true,
            ..self
        }
    }

    /// The command that starts the member of this number.
    pub(super) fn command(&self, bootstrap: &str, group: &str, index: usize) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        let instance = self.owned.then(|| format!("{group}-{index}"));
        match self.manner {
            Manner::Own => {
                command.args([bootstrap, group, TOPIC, self.sharing]);
                command.arg(instance.unwrap_or_default());
            }
            Manner::Verifiable => {
                command.args(["--bootstrap-server", bootstrap, "--topic", TOPIC]);
                command.args(["--group-id", group]);
                match self.sharing {
                    "consumer" => command.args(["--group-protocol", "consumer"]),
                    assignor => command
                        .args(["--session-timeout", "3000", "--assignment-strategy"])
                        .arg(assignor),
                };
                if let Some(instance) = instance {
                    command.args(["--group-instance-id", &instance]);
                }
            }
        }
        if let Some(modules) = &self.modules {
            command.env("NODE_PATH", modules);
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

impl Manner {
    /// The records that a line speaks of, as partition and offset; nothing if the line is none of this manner.
    pub(super) fn records(self, line: &str) -> Option<Vec<(usize, i64)>> {
        match self {
            Manner::Own => serde_json::from_str(line).ok(),
            Manner::Verifiable => records_of_event(&serde_json::from_str(line).ok()?),
        }
    }
}

/// An event of the verifiable consumer: what it has read is told as ranges, in which no offset is left out.
fn records_of_event(event: &Value) -> Option<Vec<(usize, i64)>> {
    if event["name"].as_str()? != "records_consumed" {
        return Some(Vec::new());
    }
    let mut records = Vec::new();
    for range in event["partitions"].as_array()? {
        let partition = usize::try_from(range["partition"].as_u64()?).ok()?;
        let (first, last) = (range["minOffset"].as_i64()?, range["maxOffset"].as_i64()?);
        if last - first + 1 != range["count"].as_i64()? {
            return None;
        }
        records.extend((first..=last).map(|offset| (partition, offset)));
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use super::Manner;

    #[test]
    fn events_of_the_verifiable_consumer_are_read() {
        let consumed = r#"{"name":"records_consumed","count":3,"partitions":[{"topic":"t","partition":1,"count":2,"minOffset":5,"maxOffset":6},{"topic":"t","partition":0,"count":1,"minOffset":0,"maxOffset":0}]}"#;
        let records = Manner::Verifiable.records(consumed);
        assert_eq!(records, Some(vec![(1, 5), (1, 6), (0, 0)]));
        let hole = consumed.replace("\"maxOffset\":6", "\"maxOffset\":7");
        assert_eq!(Manner::Verifiable.records(&hole), None);
        let other = r#"{"name":"startup_complete"}"#;
        assert_eq!(Manner::Verifiable.records(other), Some(vec![]));
        assert_eq!(Manner::Verifiable.records("[cds] a warning"), None);
    }

    #[test]
    fn lines_of_our_own_members_are_read() {
        assert_eq!(
            Manner::Own.records("[[2,7],[0,1]]"),
            Some(vec![(2, 7), (0, 1)])
        );
        assert_eq!(Manner::Own.records("Traceback"), None);
    }
}
