//! A data directory with tiny segments, and the broker over it, which can be stopped and started.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::WaitOutcome;
use pagelog_flush::{Flush, Policy};
use pagelog_kafka::{Advertised, Kafka, KafkaOptions};
use pagelog_segment::{Directory, Storage};
use pagelog_store::answer::Position;
use pagelog_store::{LogOptions, Route, Store, StoreOptions, SyncSide};
use tempfile::TempDir;

use crate::client::Client;

pub(crate) const ADVERTISED: (&str, u16) = ("broker.example", 19092);

/// What outlives a broker.
pub(crate) struct Home {
    directory: Arc<TempDir>,
    pub(crate) kafka: KafkaOptions,
    pub(crate) store: StoreOptions,
}

/// A broker that syncs by itself.
pub(crate) struct Running {
    pub(crate) broker: Broker,
    flush: Flush,
    /// Holds the directory, should its home be gone; dropped last.
    _directory: Option<Arc<TempDir>>,
}

/// A broker; nothing is written or synced unless somebody does.
pub(crate) struct Broker {
    pub(crate) store: Arc<Store>,
    kafka: Kafka,
}

impl Home {
    pub(crate) fn new() -> Home {
        let kafka = KafkaOptions {
            message_max_bytes: 8 << 10,
            ..KafkaOptions::default()
        };
        Home {
            directory: Arc::new(tempfile::tempdir().expect("a temporary directory")),
            store: StoreOptions::new(LogOptions::new(
                16 << 10,
                Route::Staged {
                    ring_size: 64 << 10,
                },
                8 << 10,
            )),
            kafka,
        }
    }

    /// Starts with nobody who syncs.
    pub(crate) fn open(&self) -> (Broker, SyncSide) {
        let storage = Directory::open(self.directory.path()).expect("the directory is free");
        self.open_over(Arc::new(storage))
    }

    pub(crate) fn open_over(&self, storage: Arc<dyn Storage>) -> (Broker, SyncSide) {
        let opened = Store::open(storage, &self.store).expect("the store opens");
        let kafka = Kafka::new(Arc::clone(&opened.store), self.kafka.clone());
        let store = opened.store;
        (Broker { store, kafka }, opened.sync)
    }

    pub(crate) fn start(&self) -> Running {
        let (broker, sync) = self.open();
        Running {
            _directory: Some(Arc::clone(&self.directory)),
            ..Running::new(broker, sync)
        }
    }
}

impl Running {
    pub(crate) fn new(broker: Broker, sync: SyncSide) -> Running {
        let flush = Flush::start(sync, Policy::Sync).expect("the flush thread starts");
        Running {
            broker,
            flush,
            _directory: None,
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.broker.client()
    }

    pub(crate) fn stop(self) {
        self.flush.stop().expect("a clean stop");
    }
}

impl Broker {
    pub(crate) fn client(&self) -> Client {
        let (host, port) = ADVERTISED;
        let advertised = Advertised {
            host: host.to_owned(),
            port,
        };
        Client::new(
            self.kafka
                .open(Arc::new(advertised), Ipv4Addr::LOCALHOST.into()),
            Arc::clone(&self.store),
        )
    }

    pub(crate) fn sweep_groups(&self) {
        self.kafka.sweep_groups();
    }

    pub(crate) fn cluster_id(&self) -> &str {
        self.kafka.cluster_id()
    }
}

/// Waits until everything up to `at` is on the disk.
pub(crate) fn wait_durable(store: &Store, at: Position) {
    let outcome = store
        .log()
        .durable()
        .wait(at, Some(Duration::from_secs(60)));
    assert_eq!(outcome, WaitOutcome::Reached);
}
