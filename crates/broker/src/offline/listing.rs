//! `pagelog inspect --entries`: one line for each entry, written as it is read, so that a log of any size can be listed.

use std::io::{self, Write};

use pagelog_commit_log::{Entry, Header, Kind};
use serde::Serialize;

use super::looking::Looking;
use crate::exit::Failure;

/// One entry, as `--json` writes it.
#[derive(Serialize)]
struct Listed {
    position: u64,
    end: u64,
    kind: &'static str,
    moved: bool,
    control_type: Option<u8>,
    stream: u32,
    base_offset: i64,
    count: u32,
    payload_size: u32,
    epoch: u32,
    durable: u64,
    append_time_ms: i64,
    record_time_max_ms: i64,
    producer_id: i64,
}

/// Lists what can be read; what a start would be refused for comes as an error at the end.
pub(super) fn list(out: &mut dyn Write, looking: &Looking, json: bool) -> Result<(), Failure> {
    let replayer = looking.replayer()?;
    if !json {
        writeln!(
            out,
            "{:>14}  {:<7}  {:>8}  {:>12}  {:>8}  {:>9}  {:>6}  {:>14}  append time",
            "position", "kind", "stream", "offset", "records", "payload", "epoch", "durable"
        )?;
    }
    let mut written: io::Result<()> = Ok(());
    let found = replayer.replay(&mut |entry| {
        written = match json {
            true => write_json(out, entry),
            false => write_line(out, entry.header),
        };
        match &written {
            Ok(()) => Ok(()),
            Err(_) => Err("nobody takes the list any more".into()),
        }
    });
    written?;
    out.flush()?;
    found.map(drop).map_err(|error| looking.refused(&error))
}

fn write_line(out: &mut dyn Write, header: &Header) -> io::Result<()> {
    writeln!(
        out,
        "{:>14}  {:<7}  {:>8}  {:>12}  {:>8}  {:>9}  {:>6}  {:>14}  {}{}",
        header.position,
        kind(header.kind),
        header.stream.0,
        header.base_offset.0,
        header.count,
        header.payload_size,
        header.epoch.0,
        header.durable,
        header.append_time_ms,
        if header.moved { "  moved" } else { "" },
    )
}

fn write_json(out: &mut dyn Write, entry: &Entry<'_>) -> io::Result<()> {
    let header = entry.header;
    let listed = Listed {
        position: header.position,
        end: header.position + header.entry_size(),
        kind: kind(header.kind),
        moved: header.moved,
        control_type: entry.control.and_then(|payload| payload.first().copied()),
        stream: header.stream.0,
        base_offset: header.base_offset.0,
        count: header.count,
        payload_size: header.payload_size,
        epoch: header.epoch.0,
        durable: header.durable,
        append_time_ms: header.append_time_ms,
        record_time_max_ms: header.record_time_max_ms,
        producer_id: header.producer.id,
    };
    serde_json::to_writer(&mut *out, &listed)?;
    writeln!(out)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Data => "data",
        Kind::Filler => "filler",
        Kind::Control => "control",
    }
}
