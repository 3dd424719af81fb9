//! From settings to the options of each crate, and the checks of settings that only work together.

mod kafka;
mod log;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::Route;
use pagelog_flush::{Interval, Policy};
use pagelog_kafka::KafkaOptions;
use pagelog_net::{ColdReads, Landings, ServerOptions};
use pagelog_os::Space;
use pagelog_os::probe::Overwrite;
use pagelog_store::answer::Mark;
use pagelog_store::{DiskLimits, HousekeepingOptions, StoreOptions};
use pagelog_transfer::Choices;

use crate::doctor;
use crate::exit::Failure;
use crate::listen::Listen;
use crate::settings::Settings;
use crate::settings::error::SettingsError;
use crate::settings::table;

/// Everything that the wiring needs.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Where the log lives.
    pub(crate) data_directory: PathBuf,
    /// Where Kafka clients connect.
    pub(crate) kafka_listeners: Vec<Listen>,
    /// What the store and its log are opened with.
    pub(crate) store: StoreOptions,
    /// What keeps the log small.
    pub(crate) housekeeping: HousekeepingOptions,
    /// When the log is flushed.
    pub(crate) policy: Policy,
    /// How sockets are served; without the listeners.
    pub(crate) net: ServerOptions,
    /// Whether the paths of sending are to be measured after the start.
    pub(crate) measures_paths: bool,
    /// The settings of the Kafka protocol.
    pub(crate) kafka: KafkaOptions,
    /// How often groups are looked at for what has run out.
    pub(crate) groups_sweep_interval: Duration,
    /// The route where a store into a mapping may need a new block; `None`: `log.route` asks for the mapped one by its name.
    staged: Option<Route>,
}

impl Configuration {
    /// The options that the settings mean.
    ///
    /// # Errors
    /// [`SettingsError::Together`]: two settings do not go together; the message names both, and a remedy.
    pub(crate) fn new(settings: &Settings) -> Result<Configuration, SettingsError> {
        check_sizes(settings)?;
        let policy = policy(settings);
        let store = store(settings, policy)?;
        let (choices, measures_paths) = doctor::choices(
            settings.text(&table::TRANSFER_PATH),
            Path::new(settings.text(&table::DATA_DIR)),
        );
        Ok(Configuration {
            data_directory: PathBuf::from(settings.text(&table::DATA_DIR)),
            kafka_listeners: settings.listeners(&table::KAFKA_LISTENERS).to_vec(),
            staged: (settings.text(&table::LOG_ROUTE) != "mapped")
                .then(|| log::staged(settings, store.log.payload_size_max)),
            store,
            housekeeping: housekeeping(settings),
            policy,
            net: net(settings, choices),
            measures_paths,
            kafka: kafka::options(settings),
            groups_sweep_interval: Duration::from_millis(
                settings.number(&table::KAFKA_OFFSETS_RETENTION_CHECK_INTERVAL_MS),
            ),
        })
    }

    /// Goes by what overwriting does to the disk's blocks in the data directory: where it takes new ones, a store into a mapping can meet a full disk,
    /// which is a signal and not an error, so bytes enter the file by the descriptor, and nothing is written there before them.
    ///
    /// # Errors
    /// [`Failure::Data`]: the mapped route was asked for by its name.
    pub(crate) fn suit(&mut self, overwrite: Overwrite) -> Result<(), Failure> {
        if overwrite != Overwrite::Elsewhere {
            return Ok(());
        }
        // An entry over zeros would take a new block, which a full disk has not; over a block that was only allocated it takes that one.
        self.store.log.prewrite = 0;
        if self.store.log.route != Route::Mapped {
            return Ok(());
        }
        let place = self.data_directory.display();
        let Some(staged) = self.staged else {
            return Err(Failure::Data(format!(
                "{place}: its file system writes each change to a new place, so a store into a mapping can meet a full disk, which is a signal and not an error; \
                 log.route=mapped cannot be kept: leave it at `auto`, or choose a directory on ext4 or XFS with --data-dir"
            )));
        };
        tracing::info!(
            "{place}: its file system writes each change to a new place, so bytes are written by the descriptor (log.route is `staged`)"
        );
        self.store.log.route = staged;
        self.store.acknowledges_appended = acknowledges_appended(staged, self.policy);
        Ok(())
    }
}

fn policy(settings: &Settings) -> Policy {
    if settings.text(&table::FLUSH_POLICY) == "sync" {
        return Policy::Sync;
    }
    let milliseconds = |setting| Duration::from_millis(settings.number(setting));
    Policy::Interval(Interval {
        interval: milliseconds(&table::FLUSH_INTERVAL_MS),
        pages_least: in_u32(settings.number(&table::FLUSH_PAGES_LEAST)),
        thorough: milliseconds(&table::FLUSH_THOROUGH_MS),
        write_interval: milliseconds(&table::WRITE_INTERVAL_MS),
        write_pages_least: in_u32(settings.number(&table::WRITE_PAGES_LEAST)),
    })
}

fn store(settings: &Settings, policy: Policy) -> Result<StoreOptions, SettingsError> {
    let settles_at = match policy {
        Policy::Sync => Mark::Durable,
        Policy::Interval(_) => Mark::Written,
    };
    let expiration = settings.number(&table::KAFKA_PRODUCER_ID_EXPIRATION_MS);
    let log = log::options(settings, policy)?;
    Ok(StoreOptions {
        settles_at,
        acknowledges_appended: acknowledges_appended(log.route, policy),
        producer_expiration: Duration::from_millis(expiration),
        topic_defaults: kafka::topic_defaults(settings),
        ..StoreOptions::new(log)
    })
}

/// Whether an answer waits for no write: the ring has the bytes, and the interval is what was promised.
fn acknowledges_appended(route: Route, policy: Policy) -> bool {
    matches!(route, Route::Staged { .. }) && policy != Policy::Sync
}

/// What keeps the log small; the disk is that of the data directory.
fn housekeeping(settings: &Settings) -> HousekeepingOptions {
    let percent = |setting| in_u8(settings.number(setting));
    let clean = percent(&table::DISK_CLEAN_PERCENT);
    let interval = settings.number(&table::KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS);
    let directory = PathBuf::from(settings.text(&table::DATA_DIR));
    HousekeepingOptions {
        retention_interval: Duration::from_millis(interval),
        carry_bytes_per_second: settings.number(&table::CARRY_BYTES_PER_SECOND),
        disk: DiskLimits {
            warn_percent: percent(&table::DISK_WARN_PERCENT),
            clean_percent: (clean <= 100).then_some(clean),
            refuse_percent: percent(&table::DISK_REFUSE_PERCENT),
        },
        measure: Arc::new(move || Space::of(&directory)),
    }
}

/// The listeners are bound later, and handed over then.
fn net(settings: &Settings, choices: Choices) -> ServerOptions {
    let defaults = ServerOptions::default();
    ServerOptions {
        listeners: Vec::new(),
        reactors: match settings.number(&table::NET_REACTORS) {
            0 => defaults.reactors,
            reactors => in_usize(reactors),
        },
        workers: in_usize(settings.number(&table::NET_WORKERS)),
        fetchers: in_usize(settings.number(&table::NET_FETCHERS)),
        cold_reads: match settings.text(&table::NET_COLD_READS) {
            "keep" => ColdReads::Keep,
            "wait" => ColdReads::Wait,
            _ => ColdReads::LetGo,
        },
        idle_timeout: Duration::from_millis(settings.number(&table::NET_IDLE_TIMEOUT_MS)),
        connections_max: in_usize(settings.number(&table::NET_CONNECTIONS_MAX)),
        frame_size_max: in_usize(settings.number(&table::NET_FRAME_BYTES_MAX)),
        in_flight_bytes_max: settings.number(&table::NET_IN_FLIGHT_BYTES_MAX),
        choices,
        landings: match settings.text(&table::TRANSFER_LANDING) {
            "always" => Landings::ALWAYS,
            "never" => Landings::Never,
            _ => Landings::default(),
        },
        ..defaults
    }
}

/// A batch fits in a frame, and a frame in the budget of all frames; else it could never come in.
fn check_sizes(settings: &Settings) -> Result<(), SettingsError> {
    let chain = [
        &table::KAFKA_MESSAGE_MAX_BYTES,
        &table::NET_FRAME_BYTES_MAX,
        &table::NET_IN_FLIGHT_BYTES_MAX,
    ];
    for pair in chain.windows(2) {
        if settings.number(pair[0]) > settings.number(pair[1]) {
            let (inner, outer) = (settings.shown(pair[0]), settings.shown(pair[1]));
            return Err(together(format!(
                "{inner} does not fit in {outer}: lower the first or raise the second"
            )));
        }
    }
    Ok(())
}

fn together(message: String) -> SettingsError {
    SettingsError::Together(message)
}

// The ranges in the table lie within these types.

fn in_u8(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn in_i32(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn in_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn in_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn in_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
