//! A file of lines, each sealed as an entry, so that what a torn write or a flipped bit has left is told from what was written.
//!
//! ```sh
//! seq 3 | cargo run -p pagelog-record --example sealed_lines -- FILE append
//! cargo run -p pagelog-record --example sealed_lines -- FILE          # the lines, and what ended them
//! cargo run -p pagelog-record --example sealed_lines -- FILE header   # the fields of the first header
//! ```
//!
//! Nothing is used but `pagelog-record`: the bytes come and go by the standard library.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, Write};

use pagelog_record::{
    EntryError, Epoch, HEADER_SIZE, Header, Kind, Offset, Producer, Seed, StreamId, fields,
};

/// A log chooses its own at random, so that no payload can imitate an entry.
const SECRET: &[u8; 16] = b"of this example.";

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let seed = Seed::from_secret(SECRET);
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [file, "append"] => append(&seed, file),
        [file, "header"] => show_header(&fs::read(file)?),
        [file] => {
            let (lines, end) = read(&seed, &fs::read(file)?);
            lines.iter().for_each(|line| println!("{line}"));
            println!("{} lines; {end}", lines.len());
            Ok(())
        }
        _ => Err("FILE, FILE append, or FILE header".into()),
    }
}

/// Puts the lines of standard input behind those that are there.
fn append(seed: &Seed, file: &str) -> Result<(), Box<dyn Error>> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    let mut position = file.metadata()?.len();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let header = Header {
            kind: Kind::Data,
            moved: false,
            payload_size: u32::try_from(line.len())?,
            position,
            durable: 0,
            base_offset: Offset(0),
            append_time_ms: 0,
            record_time_max_ms: -1,
            stream: StreamId(1),
            count: 1,
            epoch: Epoch(1),
            producer: Producer::NONE,
        };
        let mut entry = seed.seal(&header, &[line.as_bytes()]).to_vec();
        entry.extend_from_slice(line.as_bytes());
        // Entries begin at multiples of eight bytes.
        entry.resize(header.entry_size() as usize, 0);
        file.write_all(&entry)?;
        position += header.entry_size();
    }
    Ok(())
}

/// The lines up to the first entry that is not whole, and why it is not.
fn read(seed: &Seed, mut bytes: &[u8]) -> (Vec<String>, String) {
    let (mut lines, mut position) = (Vec::new(), 0);
    loop {
        let Some((header, behind)) = bytes.split_first_chunk::<HEADER_SIZE>() else {
            return (lines, format!("{} bytes are left", bytes.len()));
        };
        let size = Header::decode(header).map_or(0, |header| header.payload_size as usize);
        let payload = behind.get(..size).unwrap_or(behind);
        match seed.open(header, payload) {
            // Stale bytes of another place never pass for new ones.
            Ok(header) if header.position == position => {
                lines.push(String::from_utf8_lossy(payload).into_owned());
                position += header.entry_size();
                bytes = bytes.get(header.entry_size() as usize..).unwrap_or(&[]);
            }
            Ok(header) => return (lines, format!("an entry of position {}", header.position)),
            Err(EntryError::Size { expected, found }) => {
                return (
                    lines,
                    format!("torn: {found} of {expected} bytes are there"),
                );
            }
            Err(error) => return (lines, error.to_string()),
        }
    }
}

fn show_header(bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let header = bytes.first_chunk().ok_or("there is no header")?;
    for field in fields(header) {
        println!("{:>3} {:<18} {}", field.at, field.name, field.value);
    }
    Ok(())
}
