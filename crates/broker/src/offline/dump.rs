//! `pagelog inspect --entry`: the bytes at one place of the log, field by field and as they are.

use std::fmt::Write as _;
use std::io::{self, Write};

use pagelog_commit_log::{HEADER_SIZE, Header, Place, Position, fields};
use serde::Serialize;

use super::looking::Looking;
use crate::exit::Failure;

/// How much of the payload is shown, in bytes.
const PAYLOAD_SHOWN: usize = 256;

/// Bytes in one line of a dump.
const LINE: usize = 16;

/// What `--json` writes.
#[derive(Serialize)]
struct Report {
    position: u64,
    file: String,
    at: u64,
    whole: bool,
    /// Why no whole entry begins here.
    reason: Option<String>,
    /// Where the whole entry begins that this place lies in, if none begins here.
    within: Option<u64>,
    /// Where the next whole entry begins if none does here.
    next: Option<u64>,
    fields: Vec<Field>,
    header: String,
    payload: String,
}

#[derive(Serialize)]
struct Field {
    at: usize,
    size: usize,
    name: &'static str,
    value: String,
    bytes: String,
}

/// The whole entries near a place where none begins.
struct Around {
    within: Option<Header>,
    next: Option<Header>,
}

/// Shows what lies at the position, whether or not an entry begins there.
pub(super) fn show(
    out: &mut dyn Write,
    looking: &Looking,
    position: Position,
    json: bool,
) -> Result<(), Failure> {
    let replayer = looking.replayer()?;
    let refused = |error| looking.refused(&error);
    let Some(place) = replayer.place(position, PAYLOAD_SHOWN).map_err(refused)? else {
        let segments = replayer.segments();
        let begin = segments.first().map_or(0, |first| first.base().0);
        let end = segments.last().map_or(0, |last| last.end().0);
        return Err(Failure::Asked(format!(
            "no segment holds position {position}: they hold {begin} to {end}"
        )));
    };
    let (within, next) = match &place.entry {
        Ok(_) => (None, None),
        Err(_) => (
            replayer.covering(position).map_err(refused)?,
            replayer.next_whole(position).map_err(refused)?,
        ),
    };
    let around = Around { within, next };
    if json {
        let report = report(&place, &around);
        let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?;
        writeln!(out, "{text}")?;
    } else {
        write_text(out, &place, &around)?;
    }
    Ok(())
}

/// The fields of a header, if there are enough bytes for one.
fn fields_of(place: &Place) -> Vec<Field> {
    let Some(header) = place.header.first_chunk::<HEADER_SIZE>() else {
        return Vec::new();
    };
    let field = |field: pagelog_commit_log::Field| Field {
        at: field.at,
        size: field.size,
        name: field.name,
        value: field.value,
        bytes: hex(&header[field.at..field.at + field.size], " "),
    };
    fields(header).into_iter().map(field).collect()
}

fn report(place: &Place, around: &Around) -> Report {
    let position = |header: &Header| header.position;
    Report {
        position: place.position.0,
        file: place.file.clone(),
        at: place.at,
        whole: place.entry.is_ok(),
        reason: place.entry.as_ref().err().map(ToString::to_string),
        within: around.within.as_ref().map(position),
        next: around.next.as_ref().map(position),
        fields: fields_of(place),
        header: hex(&place.header, ""),
        payload: hex(&place.payload, ""),
    }
}

fn write_text(out: &mut dyn Write, place: &Place, around: &Around) -> io::Result<()> {
    let Place {
        position, file, at, ..
    } = place;
    writeln!(out, "position {position} is byte {at} ({at:#x}) of {file}")?;
    match &place.entry {
        Ok(header) => writeln!(
            out,
            "a whole entry, up to position {}",
            header.position + header.entry_size()
        )?,
        Err(reason) => {
            writeln!(out, "no whole entry begins here: {reason}")?;
            if let Some(within) = &around.within {
                writeln!(out, "{}", part_text(within, *position))?;
            }
            match &around.next {
                Some(next) => writeln!(out, "the next one begins at position {}", next.position)?,
                None => writeln!(out, "and none behind")?,
            }
        }
    }
    writeln!(
        out,
        "\n  at  size  field                value                 bytes"
    )?;
    for field in fields_of(place) {
        let Field {
            at,
            size,
            name,
            value,
            bytes,
        } = field;
        writeln!(
            out,
            "  {at:>2}  {size:>4}  {name:<19}  {value:<20}  {bytes}"
        )?;
    }
    writeln!(out, "\nheader")?;
    write_dump(out, *at, &place.header)?;
    match &place.entry {
        Ok(header) => {
            let shown = place.payload.len();
            writeln!(out, "\npayload, {shown} of {} bytes", header.payload_size)?;
        }
        Err(_) => writeln!(out, "\nwhat follows")?,
    }
    write_dump(out, *at + HEADER_SIZE as u64, &place.payload)
}

/// Which byte of an entry lies at `position`.
fn part_text(entry: &Header, position: Position) -> String {
    let begin = entry.position;
    let byte = position.0 - begin;
    let part = match byte.checked_sub(HEADER_SIZE as u64) {
        None => "in its header".to_owned(),
        Some(at) if at < u64::from(entry.payload_size) => format!("byte {at} of its payload"),
        Some(_) => "in the zeros behind its payload".to_owned(),
    };
    format!("it is byte {byte} of the entry that begins at position {begin}: {part}")
}

/// Bytes with their place in the file, as `hexdump -C` shows them.
fn write_dump(out: &mut dyn Write, mut at: u64, bytes: &[u8]) -> io::Result<()> {
    for line in bytes.chunks(LINE) {
        let text: String = line.iter().map(|byte| shown(*byte)).collect();
        let width = LINE * 3 - 1;
        writeln!(out, "{at:08x}  {:<width$}  |{text}|", hex(line, " "))?;
        at += line.len() as u64;
    }
    Ok(())
}

fn shown(byte: u8) -> char {
    match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    }
}

fn hex(bytes: &[u8], between: &str) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (index, byte) in bytes.iter().enumerate() {
        let between = if index == 0 { "" } else { between };
        // Writing to a string cannot fail.
        let _ = write!(text, "{between}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_looks_like_that_of_hexdump() {
        let mut out = Vec::new();
        write_dump(&mut out, 0x60, b"PLE1\x03\x00 and some more").unwrap();
        let expected = "\
00000060  50 4c 45 31 03 00 20 61 6e 64 20 73 6f 6d 65 20  |PLE1.. and some |
00000070  6d 6f 72 65                                      |more|
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
