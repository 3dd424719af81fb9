//! A header's fields one by one, for whoever shows the bytes to a person.

use crate::header::{HEADER_SIZE, Kind, MAGIC, field};

/// One field of a header as it lies there, whether or not it makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its first byte in the header.
    pub at: usize,
    /// Its size in bytes.
    pub size: usize,
    /// Its name in `docs/format.md`.
    pub name: &'static str,
    /// What it says, in words or decimal digits.
    pub value: String,
}

/// All fields of a header in the order of their bytes, without a gap; nothing is verified.
///
/// ```
/// let fields = pagelog_record::fields(&[0; pagelog_record::HEADER_SIZE]);
/// let position = fields.iter().find(|field| field.name == "position");
/// assert_eq!(position.map(|field| (field.at, field.size)), Some((16, 8)));
/// ```
#[must_use]
pub fn fields(header: &[u8; HEADER_SIZE]) -> Vec<Field> {
    let mut at = 0;
    let mut next = |size, name, value| {
        at += size;
        Field {
            at: at - size,
            size,
            name,
            value,
        }
    };
    let (u32_at, i32_at) = (
        |at| u32::from_le_bytes(field(header, at)).to_string(),
        |at| i32::from_le_bytes(field(header, at)).to_string(),
    );
    let (u64_at, i64_at) = (
        |at| u64::from_le_bytes(field(header, at)).to_string(),
        |at| i64::from_le_bytes(field(header, at)).to_string(),
    );
    let checksum = u32::from_le_bytes(field(header, 8));
    vec![
        next(4, "magic", magic(field(header, 0))),
        next(1, "kind", kind(header[4])),
        next(1, "flags", flags(header[5])),
        next(
            2,
            "producer epoch",
            i16::from_le_bytes(field(header, 6)).to_string(),
        ),
        next(4, "checksum", format!("{checksum:#010x}")),
        next(4, "payload size", u32_at(12)),
        next(8, "position", u64_at(16)),
        next(8, "durable position", u64_at(24)),
        next(8, "base offset", i64_at(32)),
        next(8, "append time", i64_at(40)),
        next(8, "highest record time", i64_at(48)),
        next(4, "stream", u32_at(56)),
        next(4, "record count", u32_at(60)),
        next(4, "epoch", u32_at(64)),
        next(4, "base sequence", i32_at(68)),
        next(8, "producer id", i64_at(72)),
    ]
}

fn magic(found: [u8; 4]) -> String {
    match found == MAGIC {
        true => String::from_utf8_lossy(&MAGIC).into_owned(),
        false => "none".to_owned(),
    }
}

fn flags(found: u8) -> String {
    match found {
        0 => "0".to_owned(),
        1 => "1 moved".to_owned(),
        other => format!("{other} unknown"),
    }
}

fn kind(found: u8) -> String {
    let names = [
        (Kind::Data, "data"),
        (Kind::Filler, "filler"),
        (Kind::Control, "control"),
    ];
    let name = names.iter().find(|(kind, _)| *kind as u8 == found);
    format!("{found} {}", name.map_or("unknown", |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, Header, Offset, Producer, Seed, StreamId};

    #[test]
    fn the_fields_cover_the_header_and_say_what_decoding_says() {
        let header = Header {
            kind: Kind::Data,
            moved: true,
            payload_size: 1,
            position: 2,
            durable: 3,
            base_offset: Offset(4),
            append_time_ms: 5,
            record_time_max_ms: -6,
            stream: StreamId(7),
            count: 8,
            epoch: Epoch(9),
            producer: Producer {
                id: -10,
                epoch: 11,
                sequence: 12,
            },
        };
        let bytes = Seed::from_secret(&[1; 16]).seal(&header, &[b"x"]);
        let fields = fields(&bytes);
        let mut at = 0;
        for field in &fields {
            assert_eq!(field.at, at, "{}", field.name);
            at += field.size;
        }
        assert_eq!(at, HEADER_SIZE);
        let value = |name| {
            let field = fields.iter().find(|field| field.name == name);
            field.map(|field| field.value.as_str())
        };
        for (name, expected) in [
            ("magic", "PLE1"),
            ("kind", "1 data"),
            ("flags", "1 moved"),
            ("payload size", "1"),
            ("position", "2"),
            ("durable position", "3"),
            ("base offset", "4"),
            ("append time", "5"),
            ("highest record time", "-6"),
            ("stream", "7"),
            ("record count", "8"),
            ("epoch", "9"),
            ("producer id", "-10"),
            ("producer epoch", "11"),
            ("base sequence", "12"),
        ] {
            assert_eq!(value(name), Some(expected), "{name}");
        }
    }

    #[test]
    fn bytes_that_are_no_header_have_fields_too() {
        let fields = fields(&[0xff; HEADER_SIZE]);
        assert_eq!(fields[0].value, "none");
        assert_eq!(fields[1].value, "255 unknown");
    }
}
