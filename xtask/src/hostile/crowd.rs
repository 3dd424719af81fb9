//! Ten thousand connections that do nothing, and one that works.

use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::broker::Broker;
use crate::wire::Connection;
use pagelog_kafka::codec::ApiVersionsRequest;

/// How many come.
const CONNECTIONS: usize = 10_000;

/// Descriptors beside those of the crowd.
const SPARE: u64 = 200;

/// What an idle connection may cost in the broker, in KiB.
const CONNECTION_KIB_MAX: u64 = 8;

/// Whether this process may open so many connections; raises its own limit as far as it may.
///
/// # Errors
/// The limit is too low: the error says what it is.
pub(crate) fn prepare() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = CONNECTIONS as u64 + SPARE;
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).with_context(|| {
            format!(
                "{wanted} descriptors are needed, the limit is {:?}",
                limit.maximum
            )
        })?;
    }
    Ok(())
}

/// Opens them all, asks through some, and lets them go.
///
/// # Errors
/// The broker does not take them, does not answer, or pays too much memory for them.
pub(crate) fn run(broker: &Broker) -> Result<()> {
    let before = broker.usage()?.anonymous_kib;
    let connect = |index| {
        TcpStream::connect(broker.address())
            .with_context(|| format!("connection {index} of {CONNECTIONS}"))
    };
    let crowd: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect::<Result<_>>()?;
    // One more is still served, and that after all before it were accepted.
    let mut connection = Connection::open(broker.address())?;
    connection.send(0, &ApiVersionsRequest::default())?;
    ensure!(
        connection.receive_frame()?.len() > 10,
        "no answer in the crowd"
    );
    let after = broker.usage()?.anonymous_kib;
    let each = after.saturating_sub(before) / CONNECTIONS as u64;
    println!(
        "      {CONNECTIONS} idle connections: {} MiB of memory more",
        after.saturating_sub(before) >> 10
    );
    ensure!(
        each <= CONNECTION_KIB_MAX,
        "an idle connection costs {each} KiB"
    );
    drop(crowd);
    Ok(())
}
