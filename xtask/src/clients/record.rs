//! Records as a client sends them and as another must hand them back.

use std::ops::RangeInclusive;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::random::Random;

/// The name and value of a header; a value may be null.
pub(crate) type Header = (String, Option<Vec<u8>>);

/// The time of the first record of the first set; each set begins a thousand seconds after the one before.
const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;

/// What a record is made of: time after the start of its set, key, value, headers.
type Draft = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<Header>);

/// How many records a set of [`varied`] has.
pub(crate) const SET_COUNT: usize = 16;

/// A record to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The key, or null.
    pub(crate) key: Option<Vec<u8>>,
    /// The value, or null.
    pub(crate) value: Option<Vec<u8>>,
    /// The headers, in order.
    pub(crate) headers: Vec<Header>,
    /// Milliseconds since 1970.
    pub(crate) timestamp: i64,
}

/// A record that must be read back: what was sent, where it lies, and when it may say it was made.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) record: Record,
    /// The client's own time, or, of a client that cannot set it, from when to when it sent.
    pub(crate) timestamps: RangeInclusive<i64>,
}

/// A record as a client read it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) offset: i64,
    pub(crate) record: Record,
}

/// A set of records whose keys, values, headers and times differ in every way that the format allows; set number
/// `set` of a partition. Times rise, but not strictly, and one falls back.
pub(crate) fn varied(set: usize, random: &mut Random) -> Vec<Record> {
    let start = FIRST_TIMESTAMP + i64::try_from(set).unwrap_or(0) * 1_000_000;
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let header = |name: &str, value: &[u8]| (name.to_owned(), Some(value.to_vec()));
    let value_size = usize::try_from(random.below(2_000)).unwrap_or(0);
    let every_byte: Vec<u8> = (0..=255).collect();
    let plain: [Draft; SET_COUNT] = [
        (0, None, text("a value without a key"), vec![]),
        (10, text("key"), text("value"), vec![header("one", b"1")]),
        (10, text("the same time"), text("again"), vec![]),
        (
            5,
            text("an older time"),
            text("than the one before"),
            vec![],
        ),
        (20, text(""), text("an empty key"), vec![]),
        (
            30,
            text("an empty value"),
            text(""),
            vec![header("empty", b"")],
        ),
        (40, text("a null value"), None, vec![]),
        (
            50,
            text("a null header value"),
            text("x"),
            vec![("null".to_owned(), None)],
        ),
        (
            60,
            text("Schlüssel 鍵 🔑"),
            text("Wert 値 💎"),
            vec![header("Überschrift 見出し", "Wert 値".as_bytes())],
        ),
        (
            70,
            Some(every_byte.clone()),
            Some(every_byte.clone()),
            vec![header("bytes", &every_byte)],
        ),
        (
            80,
            text("repeated"),
            text("x"),
            vec![header("a", b"1"), header("a", b"2"), header("b", b"3")],
        ),
        (90, text("line\nbreaks\r\n"), text("\n\nin\tboth\n"), vec![]),
        (100, text("long"), Some(vec![b'x'; 20_000]), vec![]),
        (110, text("random"), Some(random.bytes(5_000)), vec![]),
        (
            120,
            Some(random.bytes(300)),
            Some(random.bytes(value_size)),
            vec![],
        ),
        (999_000, text("last"), text("the latest of its set"), vec![]),
    ];
    let record = |(after, key, value, headers)| Record {
        key,
        value,
        headers,
        timestamp: start + after,
    };
    plain.into_iter().map(record).collect()
}

impl Record {
    /// The form in which agents take it.
    pub(crate) fn to_json(&self) -> Value {
        let headers: Vec<Value> = self
            .headers
            .iter()
            .map(|(name, value)| json!([name, encode(value)]))
            .collect();
        json!({
            "key": encode(&self.key),
            "value": encode(&self.value),
            "headers": headers,
            "timestamp": self.timestamp,
        })
    }
}

impl Received {
    /// From the form in which agents hand it back.
    ///
    /// # Errors
    /// The agent left the form.
    pub(crate) fn from_json(value: &Value) -> Result<Received> {
        let headers = value["headers"].as_array().context("headers are no list")?;
        let record = Record {
            key: decode(&value["key"])?,
            value: decode(&value["value"])?,
            headers: headers
                .iter()
                .map(header_from_json)
                .collect::<Result<_>>()?,
            timestamp: value["timestamp"].as_i64().context("no timestamp")?,
        };
        Ok(Received {
            offset: value["offset"].as_i64().context("no offset")?,
            record,
        })
    }
}

fn header_from_json(value: &Value) -> Result<Header> {
    let name = value[0].as_str().context("a header has no name")?;
    Ok((name.to_owned(), decode(&value[1])?))
}

fn encode(bytes: &Option<Vec<u8>>) -> Option<String> {
    bytes.as_ref().map(|bytes| STANDARD.encode(bytes))
}

fn decode(value: &Value) -> Result<Option<Vec<u8>>> {
    value
        .as_str()
        .map(|text| STANDARD.decode(text).context("not base64"))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::{Received, varied};
    use crate::random::Random;

    #[test]
    fn a_record_survives_the_way_through_json() {
        for record in varied(3, &mut Random::new(1)) {
            let mut json = record.to_json();
            json["offset"] = 5.into();
            let received = Received::from_json(&json).expect("what was just encoded");
            assert_eq!((received.offset, received.record), (5, record));
        }
    }
}
