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
    let next = match &place.entry {
        Ok(_) => None,
        Err(_) => replayer.next_whole(position).map_err(refused)?,
    };
    if json {
        let report = report(&place, next.as_ref());
        let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?;
        writeln!(out, "{text}")?;
    } else {
        write_text(out, &place, next.as_ref())?;
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

fn report(place: &Place, next: Option<&Header>) -> Report {
    Report {
        position: place.position.0,
        file: place.file.clone(),
        at: place.at,
        whole: place.entry.is_ok(),
        reason: place.entry.as_ref().err().map(ToString::to_string),
        next: next.map(|header| header.position),
        fields: fields_of(place),
        header: hex(&place.header, ""),
        payload: hex(&place.payload, ""),
    }
}

fn write_text(out: &mut dyn Write, place: &Place, next: Option<&Header>) -> io::Result<()> {
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
            match next {
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
