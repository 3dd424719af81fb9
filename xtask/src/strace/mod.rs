//! `cargo xtask strace`: the broker's system calls under two loads, counted by strace and held against what the
//! design promises: one sync serves many records, and no payload passes a user buffer on its way out.

mod load;
mod trace;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::broker::Setup;
use crate::{command, setup};
use trace::{Trace, check, require};

/// One sync serves at least so many records, on average, when 64 producers wait.
const RECORDS_PER_SYNC: u64 = 5;

/// Runs both loads, checks them, and writes `docs/syscalls.md`.
///
/// # Errors
/// strace is missing, or a promise is not kept.
pub(crate) fn run_alone() -> Result<()> {
    let tools = setup::prepare()?;
    let page = run(tools.strace.as_deref(), &command::release_broker()?)?;
    let path = command::root().join("docs").join("syscalls.md");
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Runs both loads and checks them; returns the page that shows them.
///
/// # Errors
/// strace is missing, or a promise is not kept.
pub(crate) fn run(strace: Option<&Path>, broker: &Path) -> Result<String> {
    let strace = require(strace)?;
    println!("\n== system calls");
    let (produce, records) = traced(strace, broker, load::produce)?;
    check(
        "fdatasync × 5, records",
        produce.calls("fdatasync") * RECORDS_PER_SYNC,
        records,
    )?;
    let (fetch, bytes) = traced(strace, broker, load::fetch)?;
    check_fetch(&fetch, bytes)?;
    Ok(page(&produce, records, &fetch, bytes))
}

/// The payload goes out by sendfile and by gathered sends from mapped segments; user buffers carry next to nothing.
fn check_fetch(trace: &Trace, payload: u64) -> Result<()> {
    let out = trace.bytes("sendfile") + trace.bytes("sendmsg");
    check("payload, bytes by sendfile and sendmsg", payload, out)?;
    check("0, calls of sendfile", 0, trace.calls("sendfile"))?;
    let copied: u64 = ["write", "writev", "sendto"]
        .map(|name| trace.bytes(name))
        .iter()
        .sum();
    check(
        "bytes by write, writev and sendto × 100, payload",
        copied * 100,
        payload,
    )?;
    let read: u64 = ["pread64", "preadv"]
        .map(|name| trace.bytes(name))
        .iter()
        .sum();
    check("bytes by pread × 100, payload", read * 100, payload)
}

/// One life of the broker under strace, with a load in it.
fn traced<T>(
    strace: &Path,
    broker: &Path,
    load: impl FnOnce(&str) -> Result<T>,
) -> Result<(Trace, T)> {
    let parent = command::target().join("strace");
    std::fs::create_dir_all(&parent)?;
    let directory = tempfile::tempdir_in(parent)?;
    let output = directory.path().join("trace");
    let setup = Setup::new(broker, directory.path());
    let plain = setup.command();
    let mut command = Command::new(strace);
    // -D: strace steps aside, so that the process that is signalled and waited for is the broker.
    command
        .args(["-D", "-f", "-C", "-s", "0", "-o"])
        .arg(&output);
    command.arg(plain.get_program()).args(plain.get_args());
    let mut broker = setup.spawn_as(command)?;
    let address = broker.wait_ready(crate::broker::PATIENCE)?;
    let outcome = load(&address)?;
    broker.stop()?;
    Ok((Trace::read(&output)?, outcome))
}

fn page(produce: &Trace, records: u64, fetch: &Trace, payload: u64) -> String {
    let (producers, readers) = (load::PRODUCERS, load::READERS);
    let (produce_table, produce_bytes) = (&produce.table, produce.bytes_table());
    let (fetch_table, fetch_bytes) = (&fetch.table, fetch.bytes_table());
    let per_sync = records / produce.calls("fdatasync").max(1);
    format!(
        "# System calls under load

Written by `cargo xtask strace`, which fails when a promise below is not kept; `cargo xtask test` checks the same. Each
table is that of one life of the broker, from its start to its clean stop, under

```
strace -D -f -C -s 0 -o FILE pagelog --data-dir DIR --kafka 127.0.0.1:0
```

(`-C` is `-c` with the calls themselves, from which the bytes are added up). Times are those of a traced process and say
little; counts and bytes are what matters.

## Produce: {producers} producers, one record of 1 KiB each in flight, acks=all

{records} records were acknowledged, each after it was durable, with {syncs} calls of `fdatasync`: {per_sync} records a sync.
Every call of a traced process stops for the tracer, so few requests pass while a sync runs; docs/benchmarks.md has the figure of a broker that nobody traces.
One gathered `pwritev` from the staging ring puts into the file whatever waits, and one `fdatasync` makes it durable for
all who wait. Promise: `fdatasync` × {RECORDS_PER_SYNC} < records.

```
{produce_table}
```

{produce_bytes}
## Fetch: {readers} readers, long runs of one partition and short runs of 32

{payload} bytes of record batches were read. Runs of 64 KiB batches of one partition go by `sendfile`; interleaved 1 KiB
batches of 32 partitions go by one gathered `sendmsg` an answer, whose pieces are the answer's headers and ranges of
the mapped segment. The produce that filled the topics is in the table, too: `pwritev` and the receiving calls are its.
Promises: `sendfile` and `sendmsg` carry all of the payload; `write`, `writev` and `sendto` carry less than 1 % of it
(answers without records, the `ready` line, the log); `pread64` less than 1 %, so no payload is read to be sent.

```
{fetch_table}
```

{fetch_bytes}",
        syncs = produce.calls("fdatasync"),
    )
}
