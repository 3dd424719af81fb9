//! What may happen to a store.

use proptest::prelude::*;

pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];
pub(crate) const GROUPS: [&str; 2] = ["one", "other"];

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Create {
        name: usize,
        partitions: u32,
    },
    Grow {
        name: usize,
    },
    Configure {
        name: usize,
        value: u8,
    },
    ConfigureClient {
        value: u8,
    },
    Delete {
        name: usize,
    },
    Append {
        name: usize,
        partition: usize,
        size: usize,
    },
    Numbered {
        name: usize,
        partition: usize,
        producer: i64,
    },
    DeleteRecords {
        name: usize,
        partition: usize,
        keep: i64,
    },
    Commit {
        group: usize,
        name: usize,
        offset: i64,
    },
    Uncommit {
        group: usize,
        name: usize,
    },
    Keep {
        group: usize,
        value: u8,
    },
    DeleteGroup {
        group: usize,
    },
    RemoveOld,
    Index,
    /// Takes a checkpoint, which is written when so many operations have followed.
    Checkpoint {
        after: usize,
    },
    Kill,
    PowerCut {
        seed: u64,
    },
    Stop,
    /// As a kill, and some of the indexes and checkpoints are gone or changed.
    Spoil {
        seed: u64,
    },
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let name = 0..NAMES.len();
    let group = 0..GROUPS.len();
    let partition = 0_usize..3;
    prop_oneof![
        3 => (name.clone(), 1_u32..3).prop_map(|(name, partitions)| Create { name, partitions }),
        1 => name.clone().prop_map(|name| Grow { name }),
        1 => (name.clone(), any::<u8>()).prop_map(|(name, value)| Configure { name, value }),
        1 => any::<u8>().prop_map(|value| ConfigureClient { value }),
        1 => name.clone().prop_map(|name| Delete { name }),
        8 => (name.clone(), partition.clone(), 0_usize..3000)
            .prop_map(|(name, partition, size)| Append { name, partition, size }),
        8 => (name.clone(), partition.clone(), 0_i64..3)
            .prop_map(|(name, partition, producer)| Numbered { name, partition, producer }),
        3 => (name.clone(), partition, 0_i64..4)
            .prop_map(|(name, partition, keep)| DeleteRecords { name, partition, keep }),
        3 => (group.clone(), name.clone(), 0_i64..9)
            .prop_map(|(group, name, offset)| Commit { group, name, offset }),
        1 => (group.clone(), name).prop_map(|(group, name)| Uncommit { group, name }),
        1 => (group.clone(), any::<u8>()).prop_map(|(group, value)| Keep { group, value }),
        1 => group.prop_map(|group| DeleteGroup { group }),
        2 => Just(RemoveOld),
        4 => Just(Index),
        6 => (0_usize..6).prop_map(|after| Checkpoint { after }),
        1 => Just(Kill),
        1 => any::<u64>().prop_map(|seed| PowerCut { seed }),
        1 => Just(Stop),
        1 => any::<u64>().prop_map(|seed| Spoil { seed }),
    ]
}
