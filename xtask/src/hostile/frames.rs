//! Bytes that no client sends: the connection is closed or gets the protocol's error, and nobody else notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pagelog_kafka::codec::{ApiVersionsRequest, MetadataRequest, encode_request};

use crate::random::Random;
use crate::report::Report;
use crate::wire::Connection;
use crate::wire::batch::{self, Sender};

/// How long the broker may take to close a connection that it can make no sense of.
const PATIENCE: Duration = Duration::from_secs(10);

/// The topic of requests that are cut short, and of batches that are refused.
pub(crate) const TOPIC: &str = "refused";

/// What must become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The broker closes it, without a byte.
    Closed,
    /// The broker closes it or answers: Kafka takes a negative count for a null array.
    ClosedOrAnswered,
    /// Nothing: what was sent is the beginning of a frame that may still come. We go away.
    Waiting,
}

/// Sends all of it to the broker at `address`.
pub(crate) fn run(address: &str, report: &mut Report) {
    for (name, bytes, fate) in bad_bytes() {
        report.case(name, || send_bytes(address, &bytes, fate));
    }
    report.case("400 connections of random bytes", || random_bytes(address));
    report.case("400 requests cut short by a disconnect", || {
        disconnects(address)
    });
    report.case(
        "an unknown version of ApiVersions gets the fallback",
        || unknown_api_versions(address),
    );
}

/// Frames and beginnings of frames.
fn bad_bytes() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let frame =
        |body: &[u8]| [&u32::try_from(body.len()).unwrap_or(0).to_be_bytes(), body].concat();
    // api key, version, correlation id, client id (null)
    let header = |api: i16, version: i16| {
        [
            &api.to_be_bytes()[..],
            &version.to_be_bytes(),
            &[0, 0, 0, 1],
            &[0xff, 0xff],
        ]
        .concat()
    };
    let huge_count = [0x7f, 0xff, 0xff, 0xff];
    let huge_compact_count = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let metadata = encode_request(12, 1, Some("cut"), &MetadataRequest::default());
    vec![
        ("a frame of negative size", vec![0xff; 4], Fate::Closed),
        (
            "a frame of the least size",
            vec![0x80, 0, 0, 0],
            Fate::Closed,
        ),
        (
            "a frame of 2 GiB",
            vec![0x7f, 0xff, 0xff, 0xff],
            Fate::Closed,
        ),
        (
            "a frame of 100 MiB and a byte",
            104_857_601u32.to_be_bytes().to_vec(),
            Fate::Closed,
        ),
        ("a frame of no bytes", vec![0; 4], Fate::Closed),
        ("a frame of three bytes", frame(&[0, 3, 0]), Fate::Closed),
        (
            "a header cut short",
            frame(&header(3, 1)[..7]),
            Fate::Closed,
        ),
        (
            "HTTP",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            Fate::Closed,
        ),
        (
            "TLS",
            [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 500]].concat(),
            Fate::Waiting,
        ),
        ("an unknown API", frame(&header(999, 0)), Fate::Closed),
        (
            "an API of brokers alone",
            frame(&header(4, 0)),
            Fate::Closed,
        ),
        ("a negative API", frame(&header(-1, 0)), Fate::Closed),
        ("an unknown version", frame(&header(3, 99)), Fate::Closed),
        ("a negative version", frame(&header(3, -1)), Fate::Closed),
        (
            "Produce 2, which is advertised and not served",
            frame(&[&header(0, 2)[..], &[0; 20]].concat()),
            Fate::Closed,
        ),
        (
            "a client name longer than its frame",
            frame(&[0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, b'x']),
            Fate::Closed,
        ),
        (
            "2 billion topics in Metadata",
            frame(&[&header(3, 1)[..], &huge_count].concat()),
            Fate::Closed,
        ),
        (
            "4 billion topics in Metadata 12",
            frame(&[&header(3, 12)[..], &[0], &huge_compact_count].concat()),
            Fate::Closed,
        ),
        (
            "2 billion topics in Produce",
            frame(
                &[
                    &header(0, 3)[..],
                    &[0xff, 0xff, 0, 1, 0, 0, 0, 9],
                    &huge_count,
                ]
                .concat(),
            ),
            Fate::Closed,
        ),
        (
            "2 billion topics in Fetch",
            frame(&[&header(1, 4)[..], &[0xff; 4], &[0; 13], &huge_count].concat()),
            Fate::Closed,
        ),
        (
            "2 billion topics in ListOffsets",
            frame(&[&header(2, 1)[..], &[0xff; 4], &huge_count].concat()),
            Fate::Closed,
        ),
        (
            "2 billion topics in CreateTopics",
            frame(&[&header(19, 2)[..], &huge_count].concat()),
            Fate::Closed,
        ),
        (
            "a negative count",
            frame(&[&header(3, 1)[..], &[0x80, 0, 0, 0]].concat()),
            Fate::ClosedOrAnswered,
        ),
        (
            "half a request",
            metadata[..metadata.len() / 2].to_vec(),
            Fate::Waiting,
        ),
        ("half a size", vec![0, 0], Fate::Waiting),
        ("nothing", vec![], Fate::Waiting),
    ]
}

/// Sends bytes over a connection of their own and looks what becomes of it.
fn send_bytes(address: &str, bytes: &[u8], fate: Fate) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    if fate == Fate::Waiting {
        return Ok(());
    }
    match wait_closed(&mut stream) {
        Err(error) if fate == Fate::ClosedOrAnswered && error.is::<Answered>() => Ok(()),
        outcome => outcome,
    }
}

/// The broker made sense of what has none.
#[derive(Debug, thiserror::Error)]
#[error("an answer to nonsense")]
struct Answered;

/// Insists that the broker closes the connection and sends nothing.
fn wait_closed(stream: &mut TcpStream) -> Result<()> {
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(0) => Ok(()),
        Ok(_) => Err(Answered.into()),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(error).context("the connection stays open"),
    }
}

/// Random bytes, as they are and behind a size that fits. Whatever the broker does, it goes on.
fn random_bytes(address: &str) -> Result<()> {
    let mut random = Random::new(2);
    for round in 0..400u32 {
        let mut stream = TcpStream::connect(address)?;
        let size = usize::try_from(random.below(3_000))?;
        let mut bytes = random.bytes(size);
        if round.is_multiple_of(2) {
            // An API that exists, so that the nonsense reaches its decoder.
            let api = [0, 1, 2, 3, 10, 18, 19, 20, 22, 23][usize::try_from(random.below(10))?];
            let version = u8::try_from(random.below(13))?;
            let head = [0, api, 0, version, 0, 0, 0, 1, 0xff, 0xff, 0];
            bytes = [
                &u32::try_from(head.len() + size)?.to_be_bytes()[..],
                &head,
                &bytes,
            ]
            .concat();
        }
        // The broker may close before it has read all: that is no failure.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
    }
    Ok(())
}

/// Whole produce requests, cut at a random byte by the end of the connection.
fn disconnects(address: &str) -> Result<()> {
    let mut random = Random::new(3);
    let batch = batch::encode(Sender::ANONYMOUS, 1_700_000_000_000, &[random.bytes(2_000)]);
    for _ in 0..400 {
        let request = produce_request(&batch);
        let cut = usize::try_from(random.below(request.len() as u64))?;
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&request[..cut])?;
    }
    Ok(())
}

fn produce_request(batch: &[u8]) -> Vec<u8> {
    use pagelog_kafka::codec::produce;
    let partition = produce::ProducePartition {
        index: 0,
        records: Some(batch),
    };
    let topic = produce::ProduceTopic {
        name: TOPIC,
        partitions: vec![partition],
    };
    let request = produce::ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 1_000,
        topics: vec![topic],
    };
    encode_request(9, 1, Some("cut"), &request)
}

/// KIP-511: the answer is of version 0, with error 35 and the versions that there are.
fn unknown_api_versions(address: &str) -> Result<()> {
    let mut connection = Connection::open(address)?;
    connection.send(99, &ApiVersionsRequest::default())?;
    let frame = connection.receive_frame()?;
    ensure!(
        frame.get(..6) == Some(&[0, 0, 0, 0, 0, 35]),
        "not the fallback: {frame:02x?}"
    );
    // The connection goes on, as clients then ask again.
    connection.send(0, &ApiVersionsRequest::default())?;
    let frame = connection.receive_frame()?;
    ensure!(
        frame.get(..6) == Some(&[0, 0, 0, 1, 0, 0]),
        "no versions after the fallback"
    );
    Ok(())
}
