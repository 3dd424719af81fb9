//! Batches that break one rule each: every one is refused with its error, and nothing of it is stored.

use std::io::Write;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use pagelog_kafka::codec::ErrorCode;

use super::frames::TOPIC;
use crate::report::Report;
use crate::wire::Connection;
use crate::wire::batch::{self, Sender};

/// What may be said of bytes that are no batch.
const NONSENSE: [ErrorCode; 2] = [ErrorCode::CORRUPT_MESSAGE, ErrorCode::INVALID_RECORD];

/// What may be said of a batch that claims 2 GiB, and of one with a codec that there is not.
const TOO_LONG: [ErrorCode; 3] = [
    ErrorCode::CORRUPT_MESSAGE,
    ErrorCode::INVALID_RECORD,
    ErrorCode::MESSAGE_TOO_LARGE,
];
const NO_CODEC: [ErrorCode; 2] = [
    ErrorCode::INVALID_RECORD,
    ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
];

/// Whose broker is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// This one.
    Ours,
    /// Kafka: it answers "unknown server error" to what its decompressors throw.
    Another,
}

/// Sends all of them to the broker at `address`.
///
/// # Errors
/// The topic for them cannot be created.
pub(crate) fn run(address: &str, whose: Whose, report: &mut Report) -> Result<()> {
    let mut connection = Connection::open(address)?;
    let error = connection.create_topic(TOPIC, 1)?;
    ensure!(
        error == ErrorCode::NONE,
        "the topic is not created: {error}"
    );
    for (name, batch, wanted) in bad_batches()? {
        // One connection for all: an error for a batch does not end it.
        report.case(name, || send_batch(&mut connection, &batch, wanted, whose));
    }
    report.case("acks of 7", || bad_acks(&mut connection));
    report.case("nothing of it was stored", || {
        nothing_stored(&mut connection)
    });
    Ok(())
}

/// The name of a case, the batch, and what may be said of it.
type BadBatch = (&'static str, Vec<u8>, &'static [ErrorCode]);

/// Batches that break one rule each, with their error.
fn bad_batches() -> Result<Vec<BadBatch>> {
    let good = batch::encode(
        Sender::ANONYMOUS,
        1_700_000_000_000,
        &[vec![b'x'; 100], vec![b'y'; 100]],
    );
    // Changes bytes and puts the right checksum over them.
    let changed = |at: usize, bytes: &[u8]| {
        let mut batch = good.clone();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        batch::seal(&mut batch);
        batch
    };
    let mut flipped = good.clone();
    flipped[100] ^= 1;
    let mut long = good.clone();
    long[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    let idempotent = Sender {
        producer_id: 7,
        producer_epoch: 0,
        base_sequence: -1,
    };
    let too_large = batch::encode(
        Sender::ANONYMOUS,
        1_700_000_000_000,
        &[vec![b'x'; 1_100_000]],
    );
    Ok(vec![
        ("a wrong checksum", flipped, &[ErrorCode::CORRUPT_MESSAGE]),
        ("no records", vec![], &[ErrorCode::INVALID_RECORD]),
        (
            "a batch cut short",
            good[..good.len() - 1].to_vec(),
            &NONSENSE,
        ),
        ("a batch of 30 bytes", good[..30].to_vec(), &NONSENSE),
        ("a batch longer than its request", long, &TOO_LONG),
        (
            "two batches",
            [good.clone(), good.clone()].concat(),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "a batch of format 1",
            changed(16, &[1]),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "a base offset of 5",
            changed(0, &5i64.to_be_bytes()),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "2 billion records",
            changed(57, &i32::MAX.to_be_bytes()),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "no record where two are",
            changed(57, &0i32.to_be_bytes()),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "a control batch",
            changed(21, &0x20i16.to_be_bytes()),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "an unknown codec",
            changed(21, &7i16.to_be_bytes()),
            &NO_CODEC,
        ),
        (
            "a record longer than its batch",
            changed(61, &[0xfe, 0xff, 0xff, 0x7f]),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "gzip that is none",
            changed(21, &1i16.to_be_bytes()),
            &NONSENSE,
        ),
        (
            "snappy that is none",
            changed(21, &2i16.to_be_bytes()),
            &NONSENSE,
        ),
        (
            "lz4 that is none",
            changed(21, &3i16.to_be_bytes()),
            &NONSENSE,
        ),
        (
            "zstd that is none",
            changed(21, &4i16.to_be_bytes()),
            &NONSENSE,
        ),
        (
            "a producer id without a sequence",
            batch::encode(idempotent, 0, &[vec![]]),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "a time of next year",
            changed(27, &next_year()?),
            &[ErrorCode::INVALID_TIMESTAMP],
        ),
        (
            "a batch over message.max.bytes",
            too_large,
            &[ErrorCode::MESSAGE_TOO_LARGE],
        ),
        (
            "256 MiB of zeroes in a quarter of a MiB of gzip",
            gzip_bomb()?,
            &NONSENSE,
        ),
    ])
}

/// First and last time of a batch, a year ahead.
fn next_year() -> Result<Vec<u8>> {
    let now = std::time::UNIX_EPOCH.elapsed()?;
    let then = i64::try_from((now + Duration::from_secs(365 * 86_400)).as_millis())?.to_be_bytes();
    Ok([then, then].concat())
}

/// A batch of one record whose compressed bytes stand for a thousand times as many zeroes.
fn gzip_bomb() -> Result<Vec<u8>> {
    let mut batch = batch::encode(Sender::ANONYMOUS, 1_700_000_000_000, &[vec![]]);
    batch.truncate(61);
    let mut encoder = flate2::write::GzEncoder::new(batch, flate2::Compression::best());
    let zeroes = vec![0; 1 << 20];
    for _ in 0..256 {
        encoder.write_all(&zeroes)?;
    }
    let mut batch = encoder.finish()?;
    let length = i32::try_from(batch.len() - 12)?;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[22] = 1;
    batch::seal(&mut batch);
    Ok(batch)
}

fn send_batch(
    connection: &mut Connection,
    batch: &[u8],
    wanted: &[ErrorCode],
    whose: Whose,
) -> Result<()> {
    let id = connection.send_batch(TOPIC, 0, -1, batch)?;
    match connection.receive_batch_answer(id)? {
        Err(error) if wanted.contains(&error) => Ok(()),
        Err(ErrorCode::UNKNOWN_SERVER_ERROR) if whose == Whose::Another && wanted.len() > 1 => {
            Ok(())
        }
        Err(error) => bail!("{error} instead of {wanted:?}"),
        Ok(offset) => bail!("stored at {offset}"),
    }
}

fn bad_acks(connection: &mut Connection) -> Result<()> {
    let batch = batch::encode(Sender::ANONYMOUS, 1_700_000_000_000, &[vec![]]);
    let id = connection.send_batch(TOPIC, 0, 7, &batch)?;
    let answer = connection.receive_batch_answer(id)?;
    ensure!(
        answer == Err(ErrorCode::INVALID_REQUIRED_ACKS),
        "{answer:?}"
    );
    Ok(())
}

/// A good batch gets offset 0.
fn nothing_stored(connection: &mut Connection) -> Result<()> {
    let batch = batch::encode(
        Sender::ANONYMOUS,
        1_700_000_000_000,
        &[b"the first".to_vec()],
    );
    let id = connection.send_batch(TOPIC, 0, -1, &batch)?;
    let answer = connection.receive_batch_answer(id)?;
    ensure!(answer == Ok(0), "{answer:?}");
    Ok(())
}
