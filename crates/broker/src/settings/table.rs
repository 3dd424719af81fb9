//! The one table of settings: key, kind with its range, default, meaning.
//!
//! Everything else follows from it: the file, the environment variables, `--set`, the errors, and the table in
//! `docs/operations.md`, which a test compares with this one.

use super::kind::Kind;

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key, words joined by dots.
    pub(crate) name: &'static str,
    /// What it may hold.
    pub(crate) kind: Kind,
    /// What it holds when nobody says otherwise, as one would write it.
    pub(crate) default: &'static str,
    /// What it does, in one line.
    pub(crate) meaning: &'static str,
}

impl Setting {
    /// The environment variable that sets it: `PAGELOG_`, and the key in capitals with `_` for `.` and `-`.
    pub(crate) fn variable(&self) -> String {
        format!(
            "PAGELOG_{}",
            self.name.to_uppercase().replace(['.', '-'], "_")
        )
    }
}

macro_rules! settings {
    ($($constant:ident = $name:literal, $kind:expr, $default:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning]
        pub(crate) static $constant: Setting =
            Setting { name: $name, kind: $kind, default: $default, meaning: $meaning };)*

        /// All settings, in the order of the documentation.
        pub(crate) static ALL: &[&Setting] = &[$(&$constant),*];
    };
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const GIB: u64 = 1 << 30;

settings! {
    DATA_DIR = "data.dir", Kind::Path, "pagelog-data",
        "Where the log lives; made when it is missing, used by one process at a time.";
    KAFKA_LISTENERS = "kafka.listeners", Kind::Listeners, "127.0.0.1:9092",
        "Where Kafka clients connect: a list of `[NAME=]HOST:PORT[@HOST[:PORT]]`, or `off`.";
    FLUSH_POLICY = "flush.policy", Kind::Choice(&["sync", "interval"]), "sync",
        "`sync`: acknowledged means on the disk. `interval`: acknowledged means in the page cache; a power loss may take what was not flushed yet.";
    FLUSH_INTERVAL_MS = "flush.interval.ms", Kind::Milliseconds { least: 1, most: DAY_MS }, "500",
        "Under `interval`: how often to flush when enough pages are dirty.";
    FLUSH_PAGES_LEAST = "flush.pages.least", Kind::Count { least: 1, most: 1 << 20 }, "4",
        "Under `interval`: how many dirty pages of 4 KiB are enough for a flush.";
    FLUSH_THOROUGH_MS = "flush.thorough.ms", Kind::Milliseconds { least: 1, most: DAY_MS }, "10000",
        "Under `interval`: how often to flush in any case.";
    WRITE_INTERVAL_MS = "write.interval.ms", Kind::Milliseconds { least: 1, most: DAY_MS }, "200",
        "Under `interval` with the staged route: how often to write what waits in the ring into the file.";
    WRITE_PAGES_LEAST = "write.pages.least", Kind::Count { least: 1, most: 1 << 20 }, "4",
        "Under `interval` with the staged route: how many pages of 4 KiB in the ring are written at once.";
    LOG_ROUTE = "log.route", Kind::Choice(&["auto", "staged", "mapped"]), "auto",
        "How bytes enter the file: through a ring and gathered writes (`staged`) or through a mapping (`mapped`); `auto` stages under `sync` and maps under `interval`, or stages there, too, where the file system writes each change to a new place.";
    SEGMENT_BYTES = "segment.bytes", Kind::Bytes { least: 4096, most: 64 * GIB }, "1GiB",
        "Size of a segment file, a multiple of 4 KiB; it must hold the largest batch.";
    SEGMENT_SPARES = "segment.spares", Kind::Count { least: 0, most: 64 }, "2",
        "How many files of deleted segments are kept to be used again, which makes their syncs quicker; 0: none.";
    PREWRITE_BYTES = "prewrite.bytes", Kind::Bytes { least: 0, most: GIB }, "16MiB",
        "Under the staged route and `sync`: how far ahead of the appends the blocks of new segments are written with zeros, which makes syncs quicker and has the disk write a new segment twice; 0: not at all, as on a file system that writes each change to a new place.";
    WARM = "warm.ahead", Kind::Choice(&["window", "whole", "off"]), "window",
        "Under the mapped route: what is brought into memory ahead of the appends: a window of each segment, the whole of it, or nothing.";
    WARM_WINDOW_BYTES = "warm.window.bytes", Kind::Bytes { least: 65536, most: GIB }, "64MiB",
        "Under `warm.ahead = window`: how far ahead of the appends.";
    WARM_BYTES_PER_SECOND = "warm.bytes.per.second", Kind::Bytes { least: 0, most: 64 * GIB }, "0",
        "The most that is warmed in a second; 0: as fast as it goes.";
    PIN_WINDOW_BYTES = "pin.window.bytes", Kind::Bytes { least: 0, most: GIB }, "16MiB",
        "Under the mapped route: how much of what is warm ahead of the appends is locked in memory, in each of three segments; 0: nothing.";
    PIN_BYTES = "pin.bytes", Kind::Bytes { least: 0, most: 64 * GIB }, "48MiB",
        "The most that is locked in memory ahead of the appends; less where RLIMIT_MEMLOCK or a quarter of the cgroup's memory limit is less.";
    RING_BYTES = "ring.bytes", Kind::Bytes { least: 65536, most: GIB }, "16MiB",
        "Size of the staging ring, pinned in memory; raised when it could not hold the largest batch.";
    CARRY_BYTES_PER_SECOND = "carry.bytes.per.second", Kind::Bytes { least: 65536, most: 64 * GIB }, "64MiB",
        "How much of what still counts in an old segment is appended again in a second, so that the segment can go; past `disk.warn.percent` there is no limit.";
    DISK_WARN_PERCENT = "disk.warn.percent", Kind::Count { least: 1, most: 101 }, "85",
        "How full the disk of `data.dir` may be before there is a warning; 101 is never.";
    DISK_CLEAN_PERCENT = "disk.clean.percent", Kind::Count { least: 1, most: 101 }, "101",
        "How full it may be before the oldest records are deleted though they are to be kept, of topics with the cleanup policy `delete`; 101 is never.";
    DISK_REFUSE_PERCENT = "disk.refuse.percent", Kind::Count { least: 1, most: 101 }, "95",
        "How full it may be before records are refused, with an error after which clients try again; 101 is never.";
    NET_REACTORS = "net.reactors", Kind::Count { least: 0, most: 1024 }, "0",
        "Threads that serve sockets; 0 is one for each processor.";
    NET_WORKERS = "net.workers", Kind::Count { least: 1, most: 1024 }, "4",
        "Threads for work that may wait or take long: compressed batches, look-ups by time, topics, a full log.";
    NET_FETCHERS = "net.fetchers", Kind::Count { least: 1, most: 1024 }, "4",
        "Threads that read from the disk what is to be sent and is not in memory, so that no thread that serves sockets waits for it. While others wait for syncs one more does, little at a time.";
    NET_COLD_READS = "net.cold.reads", Kind::Choice(&["let-go", "keep", "wait"]), "let-go",
        "What becomes of pages that had to be read from the disk: `let-go` drops them after they were sent, so that who reads far back pushes nobody's pages out; `keep` leaves them; `wait` has the thread that serves the socket read them.";
    TRANSFER_PATH = "transfer.path", Kind::Choice(&["auto", "measured", "read+write", "mmap+writev", "sendfile", "splice", "zerocopy", "uring-splice", "uring-zerocopy", "uring-read", "direct"]), "auto",
        "How records go from the page cache to a socket: `auto` chooses by the length of a run, by what `pagelog doctor --save` has measured if it has; `measured` as well, and without that measures shortly after each start; the others force one path (docs/transfer.md); where the kernel refuses it, the next one takes over.";
    TRANSFER_LANDING = "transfer.landing", Kind::Choice(&["auto", "always", "never"]), "auto",
        "Whether a produced batch goes from the socket straight into its place in the log: `auto` does that with requests of 64 KiB and more, `always` with any, `never` copies all of them (docs/transfer.md).";
    NET_CONNECTIONS_MAX = "net.connections.max", Kind::Count { least: 1, most: 1_000_000 }, "16384",
        "Connections at a time; one more is closed at once.";
    NET_IDLE_TIMEOUT_MS = "net.idle.timeout.ms", Kind::Milliseconds { least: 100, most: 30 * DAY_MS }, "600000",
        "A connection without a request for so long, and with none unanswered, is closed.";
    NET_FRAME_BYTES_MAX = "net.frame.bytes.max", Kind::Bytes { least: 1024, most: GIB }, "100MiB",
        "The largest request; a connection that announces a larger one is closed.";
    NET_IN_FLIGHT_BYTES_MAX = "net.in-flight.bytes.max", Kind::Bytes { least: 65536, most: 64 * GIB }, "256MiB",
        "Bytes of requests held at a time, over all connections; beyond it sockets are not read.";
    KAFKA_MESSAGE_MAX_BYTES = "kafka.message.max.bytes", Kind::Bytes { least: 1024, most: GIB / 2 }, "1048588",
        "The largest record batch, its header included.";
    KAFKA_NUM_PARTITIONS = "kafka.num.partitions", Kind::Count { least: 1, most: 10_000 }, "1",
        "Partitions of a topic that is created without saying how many.";
    KAFKA_AUTO_CREATE_TOPICS_ENABLE = "kafka.auto.create.topics.enable", Kind::Boolean, "true",
        "Whether asking for a topic that is not there creates it.";
    KAFKA_DELETE_TOPIC_ENABLE = "kafka.delete.topic.enable", Kind::Boolean, "true",
        "Whether clients may delete topics.";
    KAFKA_FETCH_MAX_BYTES = "kafka.fetch.max.bytes", Kind::Bytes { least: 1024, most: GIB }, "55MiB",
        "The most record bytes of one answer to a fetch; a first batch that is larger is whole all the same.";
    KAFKA_TIMESTAMP_BEFORE_MAX_MS = "kafka.log.message.timestamp.before.max.ms",
        Kind::Milliseconds { least: 0, most: i64::MAX.cast_unsigned() }, "9223372036854775807",
        "How far a record's time may lie before the broker's.";
    KAFKA_TIMESTAMP_AFTER_MAX_MS = "kafka.log.message.timestamp.after.max.ms",
        Kind::Milliseconds { least: 0, most: i64::MAX.cast_unsigned() }, "3600000",
        "How far a record's time may lie after the broker's.";
    KAFKA_LOG_RETENTION_MS = "kafka.log.retention.ms",
        Kind::Limit { most: i64::MAX.cast_unsigned() }, "604800000",
        "How long records are kept, for topics that do not say so themselves.";
    KAFKA_LOG_RETENTION_HOURS = "kafka.log.retention.hours",
        Kind::Limit { most: 1_000_000_000 }, "168",
        "The same in hours, where `kafka.log.retention.ms` is not set.";
    KAFKA_LOG_RETENTION_BYTES = "kafka.log.retention.bytes",
        Kind::Limit { most: i64::MAX.cast_unsigned() }, "-1",
        "How many bytes of each partition are kept, for topics that do not say so themselves.";
    KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS = "kafka.log.retention.check.interval.ms",
        Kind::Milliseconds { least: 1, most: DAY_MS }, "300000",
        "How often old records are looked for, and segments removed of which little counts.";
    KAFKA_LOG_CLEANUP_POLICY = "kafka.log.cleanup.policy",
        Kind::Choice(&["delete", "compact", "compact,delete"]), "delete",
        "What becomes of old records, for topics that do not say so themselves.";
    KAFKA_LOG_MESSAGE_TIMESTAMP_TYPE = "kafka.log.message.timestamp.type",
        Kind::Choice(&["CreateTime", "LogAppendTime"]), "CreateTime",
        "Whose time a record has, for topics that do not say so themselves.";
    KAFKA_PRODUCER_ID_EXPIRATION_MS = "kafka.producer.id.expiration.ms",
        Kind::Milliseconds { least: 1000, most: 365 * DAY_MS }, "86400000",
        "A producer that has sent nothing to a partition for so long is forgotten there.";
    KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS = "kafka.group.min.session.timeout.ms",
        Kind::Milliseconds { least: 1, most: DAY_MS }, "6000",
        "The shortest session timeout that a member of a group may ask for.";
    KAFKA_GROUP_MAX_SESSION_TIMEOUT_MS = "kafka.group.max.session.timeout.ms",
        Kind::Milliseconds { least: 1, most: DAY_MS }, "1800000",
        "The longest session timeout that a member of a group may ask for.";
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS = "kafka.group.initial.rebalance.delay.ms",
        Kind::Milliseconds { least: 0, most: DAY_MS }, "3000",
        "How long a group that was empty waits for more members before its partitions are shared out.";
    KAFKA_GROUP_MAX_SIZE = "kafka.group.max.size", Kind::Count { least: 1, most: 1_000_000 }, "10000",
        "The most members of one group.";
    KAFKA_GROUP_CONSUMER_SESSION_TIMEOUT_MS = "kafka.group.consumer.session.timeout.ms",
        Kind::Milliseconds { least: 1, most: DAY_MS }, "45000",
        "How long a member of a group of the consumer protocol may be silent.";
    KAFKA_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS = "kafka.group.consumer.heartbeat.interval.ms",
        Kind::Milliseconds { least: 1, most: DAY_MS }, "5000",
        "How often a member of a group of the consumer protocol is to come.";
    KAFKA_GROUP_CONSUMER_MAX_SIZE = "kafka.group.consumer.max.size", Kind::Count { least: 1, most: 100_000 }, "1000",
        "The most members of one group of the consumer protocol.";
    KAFKA_OFFSET_METADATA_MAX_BYTES = "kafka.offset.metadata.max.bytes", Kind::Count { least: 0, most: 32_767 }, "4096",
        "The longest text that a client may commit with an offset, in bytes.";
    KAFKA_OFFSETS_RETENTION_MINUTES = "kafka.offsets.retention.minutes", Kind::Count { least: 1, most: 50_000_000 }, "10080",
        "How long committed offsets are kept after their group has lost its last member.";
    KAFKA_OFFSETS_RETENTION_CHECK_INTERVAL_MS = "kafka.offsets.retention.check.interval.ms",
        Kind::Milliseconds { least: 1, most: DAY_MS }, "600000",
        "How often committed offsets that are too old are looked for.";
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::HashSet;

    #[test]
    fn every_default_is_allowed() {
        for setting in ALL {
            assert!(
                setting.kind.parse(setting.default).is_ok(),
                "{} = {}",
                setting.name,
                setting.default
            );
        }
    }

    #[test]
    fn names_and_variables_are_unique() {
        let names: HashSet<_> = ALL.iter().map(|setting| setting.name).collect();
        let variables: HashSet<_> = ALL.iter().map(|setting| setting.variable()).collect();
        assert_eq!((names.len(), variables.len()), (ALL.len(), ALL.len()));
    }

    /// In TOML `a.b` cannot be a value and a table at once.
    #[test]
    fn no_name_is_the_beginning_of_another() {
        for setting in ALL {
            let table = format!("{}.", setting.name);
            assert!(
                !ALL.iter().any(|other| other.name.starts_with(&table)),
                "{}",
                setting.name
            );
        }
    }
}
