//! A store against a model that is obviously right, with stops and openings, deletions and the removal of old segments among the operations.

mod harness;

use std::collections::BTreeMap;

use harness::{ALL, Home, New, Running, read};
use pagelog_store::{AppendError, Offset, Producer};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Operation {
    Create {
        name: usize,
        partitions: u32,
    },
    Delete {
        name: usize,
    },
    Append {
        name: usize,
        partition: usize,
        count: u32,
        size: usize,
    },
    /// `back` batches before the next one: 0 is new, up to 5 are known again; or one too far ahead.
    Numbered {
        name: usize,
        partition: usize,
        producer: i64,
        back: usize,
        ahead: bool,
    },
    /// All but the last `keep` batches go.
    DeleteRecords {
        name: usize,
        partition: usize,
        keep: usize,
    },
    RemoveOld,
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    let name = 0..NAMES.len();
    let partition = 0_usize..3;
    prop_oneof![
        2 => (name.clone(), 1_u32..4).prop_map(|(name, partitions)| Operation::Create { name, partitions }),
        1 => name.clone().prop_map(|name| Operation::Delete { name }),
        8 => (name.clone(), partition.clone(), 1_u32..5, 0_usize..3000)
            .prop_map(|(name, partition, count, size)| Operation::Append { name, partition, count, size }),
        3 => (name.clone(), partition.clone(), 0_usize..4)
            .prop_map(|(name, partition, keep)| Operation::DeleteRecords { name, partition, keep }),
        2 => Just(Operation::RemoveOld),
        8 => (name, partition, 0_i64..3, 0_usize..7, prop::bool::weighted(0.1)).prop_map(
            |(name, partition, producer, back, ahead)| Operation::Numbered { name, partition, producer, back, ahead }
        ),
        1 => Just(Operation::Reopen),
    ]
}

/// What a numbered batch of the model holds: two records.
const NUMBERED_COUNT: u32 = 2;

#[derive(Clone, Debug, Default, PartialEq)]
struct ModelPartition {
    start: i64,
    next: i64,
    batches: Vec<(i64, Vec<u8>)>,
    /// Base offsets of each producer's batches, in order.
    numbered: BTreeMap<i64, Vec<i64>>,
}

type Model = BTreeMap<usize, Vec<ModelPartition>>;

struct Pair {
    running: Option<Running>,
    model: Model,
    salt: u8,
}

impl Pair {
    fn running(&self) -> &Running {
        self.running
            .as_ref()
            .expect("it is open between operations")
    }

    fn apply(&mut self, home: &Home, operation: &Operation) -> Result<(), TestCaseError> {
        match *operation {
            Operation::Create { name, partitions } => {
                if let std::collections::btree_map::Entry::Vacant(vacant) = self.model.entry(name) {
                    vacant.insert(vec![ModelPartition::default(); partitions as usize]);
                    self.running().create(NAMES[name], partitions);
                }
            }
            Operation::Delete { name } => {
                if self.model.remove(&name).is_some() {
                    let topic = self.running().store.topics().by_name(NAMES[name]).cloned();
                    self.running().delete(&topic.expect("the model has it"));
                }
            }
            Operation::Append {
                name,
                partition,
                count,
                size,
            } => {
                self.salt = self.salt.wrapping_add(1);
                let payload = vec![self.salt; size];
                let new = New {
                    count,
                    ..New::plain(&payload)
                };
                self.append(name, partition, &new, |_| Expected::New)?;
            }
            Operation::Numbered {
                name,
                partition,
                producer,
                back,
                ahead,
            } => {
                self.numbered(name, partition, producer, back, ahead)?;
            }
            Operation::DeleteRecords {
                name,
                partition,
                keep,
            } => self.delete_records(name, partition, keep)?,
            Operation::RemoveOld => {
                self.running().store.remove_old().expect("there is room");
            }
            Operation::Reopen => {
                self.running.take().expect("it is open").stop();
                self.running = Some(home.open());
            }
        }
        Ok(())
    }

    fn delete_records(
        &mut self,
        name: usize,
        partition: usize,
        keep: usize,
    ) -> Result<(), TestCaseError> {
        let running = self.running.as_ref().expect("it is open");
        let topic = self.model.get_mut(&name);
        let Some(model) = topic.and_then(|topic| topic.get_mut(partition)) else {
            return Ok(());
        };
        // Only what readers may see can be deleted.
        running.wait_settled(running.store.log().appended());
        model
            .batches
            .drain(..model.batches.len().saturating_sub(keep));
        model.start = model.batches.first().map_or(model.next, |(base, _)| *base);
        let topics = running.store.topics();
        let topic = topics.by_name(NAMES[name]).expect("the model has it");
        let moved = topic.partitions()[partition].delete_records(Offset(model.start));
        prop_assert_eq!(moved.expect("there is room").start, Offset(model.start));
        Ok(())
    }

    fn numbered(
        &mut self,
        name: usize,
        partition: usize,
        producer: i64,
        back: usize,
        ahead: bool,
    ) -> Result<(), TestCaseError> {
        let Some(known) = self.model.get(&name).and_then(|topic| topic.get(partition)) else {
            return Ok(());
        };
        let sent = known.numbered.get(&producer).cloned().unwrap_or_default();
        let back = back.min(sent.len());
        // A first batch may have any sequence; the model's begin at 0.
        let index = sent.len() - back + usize::from(ahead && !sent.is_empty());
        let new = New {
            producer: Producer {
                id: producer,
                epoch: 0,
                sequence: (index as u32 * NUMBERED_COUNT) as i32,
            },
            count: NUMBERED_COUNT,
            ..New::plain(b"numbered")
        };
        self.append(name, partition, &new, |_| match index {
            index if index == sent.len() => Expected::New,
            index if index < sent.len() && sent.len() - index <= 5 => {
                Expected::Duplicate(sent[index])
            }
            _ => Expected::OutOfOrder,
        })
    }

    fn append(
        &mut self,
        name: usize,
        partition: usize,
        new: &New<'_>,
        expected: impl FnOnce(&ModelPartition) -> Expected,
    ) -> Result<(), TestCaseError> {
        let running = self
            .running
            .as_ref()
            .expect("it is open between operations");
        let Some(model) = self
            .model
            .get_mut(&name)
            .and_then(|topic| topic.get_mut(partition))
        else {
            return Ok(());
        };
        let topics = running.store.topics();
        let topic = topics.by_name(NAMES[name]).expect("the model has it");
        let appended = running.append(&topic.partitions()[partition], new);
        match expected(model) {
            Expected::New => {
                let appended = appended.expect("the model takes it");
                prop_assert_eq!(
                    (appended.base_offset.0, appended.duplicate),
                    (model.next, false)
                );
                model.batches.push((model.next, new.payload.to_vec()));
                if new.producer.id >= 0 {
                    model
                        .numbered
                        .entry(new.producer.id)
                        .or_default()
                        .push(model.next);
                }
                model.next += i64::from(new.count);
            }
            Expected::Duplicate(base) => {
                let appended = appended.expect("a duplicate is no error");
                prop_assert_eq!((appended.base_offset.0, appended.duplicate), (base, true));
            }
            Expected::OutOfOrder => {
                prop_assert!(
                    matches!(appended, Err(AppendError::Sequence(_))),
                    "{:?}",
                    appended
                );
            }
        }
        Ok(())
    }

    /// Everything the model holds is there, and nothing else.
    fn check(&self) -> Result<(), TestCaseError> {
        let running = self.running();
        running.wait_settled(running.store.log().appended());
        let topics = running.store.topics();
        let names: Vec<&str> = topics.iter().map(|topic| topic.name().as_str()).collect();
        let expected: Vec<&str> = self.model.keys().map(|name| NAMES[*name]).collect();
        prop_assert_eq!(names, expected);
        for (name, partitions) in &self.model {
            let topic = topics.by_name(NAMES[*name]).expect("just compared");
            prop_assert_eq!(topic.partitions().len(), partitions.len());
            for (partition, model) in topic.partitions().iter().zip(partitions) {
                prop_assert_eq!(partition.high_watermark(), Offset(model.next));
                prop_assert_eq!(partition.start_offset(), Offset(model.start));
                for (index, (base, _)) in model.batches.iter().enumerate() {
                    let rest: Vec<u8> = model.batches[index..]
                        .iter()
                        .flat_map(|(_, payload)| payload.clone())
                        .collect();
                    prop_assert_eq!(read(partition, *base, ALL), rest);
                }
            }
        }
        Ok(())
    }
}

enum Expected {
    New,
    Duplicate(i64),
    OutOfOrder,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_its_model(operations in prop::collection::vec(operation(), 1..60)) {
        let home = Home::new();
        let mut pair = Pair { running: Some(home.open()), model: Model::new(), salt: 0 };
        for operation in &operations {
            pair.apply(&home, operation)?;
        }
        pair.check()?;
        pair.apply(&home, &Operation::Reopen)?;
        pair.check()?;
        pair.running.take().expect("it is open").stop();
    }
}
