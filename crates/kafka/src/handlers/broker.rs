//! What all Kafka connections of a process share.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pagelog_store::{Store, Topic};

use super::connection::Connection;
use super::options::KafkaOptions;
use super::quotas::Quotas;
use crate::codec::ErrorCode;
use crate::groups::Coordinator;

/// The id of this node, the only one of its cluster.
pub const NODE_ID: i32 = 1;

/// From so many partitions on, work on each of them is not done by a reactor, whose other connections would wait.
pub(super) const MANY_PARTITIONS: usize = 1_000;

/// The Kafka side of a store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Kafka(Arc<Broker>);

/// The address under which clients of a listener reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

#[derive(Debug)]
pub(super) struct Broker {
    pub(super) store: Arc<Store>,
    pub(super) options: KafkaOptions,
    pub(super) cluster_id: String,
    pub(super) groups: Coordinator,
    pub(super) quotas: Quotas,
    /// Held while a configuration is read, changed and written.
    pub(super) config_changes: Mutex<()>,
}

impl Kafka {
    /// Serves `store`.
    pub fn new(store: Arc<Store>, options: KafkaOptions) -> Kafka {
        let cluster_id = URL_SAFE_NO_PAD.encode(store.log_id());
        let groups = Coordinator::new(Arc::clone(&store), options.groups.clone());
        Kafka(Arc::new(Broker {
            groups,
            quotas: Quotas::of(&store),
            config_changes: Mutex::new(()),
            store,
            options,
            cluster_id,
        }))
    }

    /// The cluster's id: the log's, so it is made once and kept.
    pub fn cluster_id(&self) -> &str {
        &self.0.cluster_id
    }

    /// One connection of `peer`, that came in by the listener which clients reach under `advertised`.
    pub fn open(&self, advertised: Arc<Advertised>, peer: IpAddr) -> Connection {
        Connection::new(Arc::clone(&self.0), advertised, peer)
    }

    /// Does what has run out in groups: sessions that nobody waits for, committed offsets that are too old, groups with nothing left.
    ///
    /// To be called once in a while, on a thread that may take its time.
    pub fn sweep_groups(&self) {
        self.0.groups.sweep(Instant::now());
    }
}

impl Broker {
    /// Every partition's leader epoch.
    pub(super) fn leader_epoch(&self) -> i32 {
        i32::try_from(self.store.epoch().0).unwrap_or(i32::MAX)
    }

    /// Holds the epoch that a client knows against the real one; -1 is a client that knows none (KIP-320).
    pub(super) fn check_leader_epoch(&self, known: i32) -> Result<(), ErrorCode> {
        match known {
            -1 => Ok(()),
            known if known < self.leader_epoch() => Err(ErrorCode::FENCED_LEADER_EPOCH),
            known if known > self.leader_epoch() => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }

    /// Whether there are so many partitions that what goes through all of them is a worker's.
    pub(super) fn has_many_partitions(&self) -> bool {
        let topics = self.store.topics();
        let counts = topics.iter_unordered().map(|one| one.partitions().len());
        counts.take(MANY_PARTITIONS).sum::<usize>() >= MANY_PARTITIONS
    }

    /// The topic of this name.
    pub(super) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.store.topics().by_name(name).cloned()
    }
}
