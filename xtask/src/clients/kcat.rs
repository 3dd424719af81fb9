//! kcat as a client: one process a call, records in and out as text with lengths.
//!
//! It cannot set a record's time, gives all records of a call the same headers, prints headers as text up to the
//! first NUL, and shows an empty key at times as a null one. [`Client::sends`] and [`Client::shows`] say just that.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::client::{Client, Codec, Confirmation, Offsets, Partition, Start};
use super::record::{Received, Record};

/// Ends the key and the record in what kcat is given; neither is part of any test record.
const KEY_END: &str = "<key ends>";
const RECORD_END: &str = "<record ends>\n";

/// Ends the headers in what kcat prints.
const HEADERS_END: u8 = 0x1e;

const PATIENCE: Duration = Duration::from_secs(30);

/// kcat, and the process that reads at the moment.
pub(crate) struct Kcat {
    program: PathBuf,
    bootstrap: String,
    version: String,
    reader: Option<Reader>,
}

/// A `kcat -C` that runs until it is dropped.
struct Reader {
    process: Child,
    records: Receiver<Result<Received>>,
    notes: Receiver<String>,
}

impl Kcat {
    /// kcat at the path `program`.
    pub(crate) fn new(program: &Path, bootstrap: &str) -> Result<Kcat> {
        let output = Command::new(program)
            .arg("-V")
            .output()
            .context("cannot start kcat")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text
            .lines()
            .find_map(|line| line.strip_prefix("Version "))
            .unwrap_or("?");
        let version = version.replace("JSON, Transactions, IncrementalAssign, ", "");
        let version = version.split(" builtin").next().unwrap_or("?").to_owned() + ")";
        Ok(Kcat {
            program: program.to_path_buf(),
            bootstrap: bootstrap.to_owned(),
            version,
            reader: None,
        })
    }

    fn command(&self, mode: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args([mode, "-b", &self.bootstrap]);
        command
    }

    /// Sends records that one call of kcat can send: all with a value, or (`nulls`) all with none.
    fn produce_alike(
        &self,
        to: &Partition,
        arguments: &[&str],
        nulls: bool,
        records: &[Record],
    ) -> Result<()> {
        let mut command = self.command("-P");
        command.args([
            "-t",
            &to.topic,
            "-p",
            &to.index.to_string(),
            "-K",
            KEY_END,
            "-D",
            RECORD_END,
        ]);
        command.args(arguments).args(nulls.then_some("-Z"));
        for (name, value) in records
            .first()
            .map(|record| record.headers.as_slice())
            .unwrap_or_default()
        {
            command.arg("-H").arg(format!(
                "{name}={}",
                String::from_utf8_lossy(value.as_deref().unwrap_or_default())
            ));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .context("kcat has no standard input")?
            .write_all(&render(records))?;
        let output = child.wait_with_output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        if !output.status.success()
            || errors.contains("ERROR")
            || errors.contains("Delivery failed")
        {
            bail!("kcat ended with {}: {}", output.status, errors.trim());
        }
        Ok(())
    }

    /// The offset that a query answers for a time, or for -1 (the end) or -2 (the beginning).
    fn query(&self, partition: &Partition, timestamp: i64) -> Result<i64> {
        let mut command = self.command("-Q");
        let output = command
            .arg("-t")
            .arg(format!(
                "{}:{}:{timestamp}",
                partition.topic, partition.index
            ))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let offset = text
            .trim()
            .rsplit(' ')
            .next()
            .and_then(|word| word.parse().ok());
        offset.with_context(|| {
            format!(
                "kcat -Q: {text} {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }
}

impl Client for Kcat {
    fn title(&self) -> String {
        format!("kcat {}", self.version)
    }

    fn name(&self) -> &'static str {
        "kcat"
    }

    fn administers(&self) -> bool {
        false
    }

    fn sets_timestamps(&self) -> bool {
        false
    }

    fn sends(&self, mut record: Record) -> Record {
        record.headers = [("a", "1"), ("ü", "ß"), ("a", "2")]
            .map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())))
            .to_vec();
        record
    }

    fn shows(&self, mut record: Record) -> Record {
        record.key = record.key.filter(|key| !key.is_empty());
        if !record.headers.is_empty() {
            let shown: Vec<Vec<u8>> = record
                .headers
                .iter()
                .map(|(name, value)| show_header(name, value))
                .collect();
            record.headers = vec![(String::new(), Some(shown.join(&b',')))];
        }
        record
    }

    fn produce(
        &mut self,
        to: &Partition,
        codec: Codec,
        confirmation: Confirmation,
        records: &[Record],
    ) -> Result<Option<Vec<i64>>> {
        let acks = format!("acks={}", confirmation.acks());
        let idempotent = format!(
            "enable.idempotence={}",
            confirmation == Confirmation::Idempotent
        );
        let common = [
            "-z",
            codec.name(),
            "-X",
            &acks,
            "-X",
            &idempotent,
            "-X",
            "message.timeout.ms=20000",
        ];
        for alike in records.chunk_by(|one, next| one.value.is_some() == next.value.is_some()) {
            self.produce_alike(to, &common, alike[0].value.is_none(), alike)?;
        }
        Ok(None)
    }

    fn open(&mut self, partition: &Partition, start: Start) -> Result<()> {
        let offset = match start {
            Start::Offset(offset) => offset.to_string(),
            Start::Timestamp(timestamp) => format!("s@{timestamp}"),
            Start::Beginning => "beginning".to_owned(),
            Start::End => "end".to_owned(),
        };
        let mut command = self.command("-C");
        command.args([
            "-u",
            "-t",
            &partition.topic,
            "-p",
            &partition.index.to_string(),
            "-o",
            &offset,
        ]);
        command.args([
            "-X",
            "enable.auto.commit=false",
            "-X",
            "fetch.wait.max.ms=100",
        ]);
        command.args(["-f", "%o %T %K %S|%k%s|%h\\x1e"]);
        let reader = Reader::start(command)?;
        if matches!(start, Start::End) {
            reader.wait_end()?;
        }
        self.reader = Some(reader);
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<Vec<Received>> {
        let reader = self.reader.as_ref().context("nothing is open")?;
        let next = |index| match reader.records.recv_timeout(PATIENCE) {
            Ok(record) => record,
            Err(_) => bail!(
                "{index} of {count} records came; {}",
                reader.notes.try_iter().collect::<String>()
            ),
        };
        (0..count).map(next).collect()
    }

    fn close(&mut self) -> Result<()> {
        self.reader = None;
        Ok(())
    }

    fn offsets(&mut self, partition: &Partition, timestamp: i64) -> Result<Offsets> {
        let at = self.query(partition, timestamp)?;
        Ok(Offsets {
            beginning: self.query(partition, -2)?,
            end: self.query(partition, -1)?,
            at: (at >= 0).then_some(at),
        })
    }

    fn create(&mut self, _: &str, _: usize) -> Result<()> {
        bail!("kcat creates no topics")
    }

    fn delete(&mut self, _: &str) -> Result<()> {
        bail!("kcat deletes no topics")
    }

    fn topics(&mut self) -> Result<BTreeMap<String, usize>> {
        let output = self.command("-L").arg("-J").output()?;
        let list: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("kcat -L: {}", String::from_utf8_lossy(&output.stderr)))?;
        let count = |topic: &Value| topic["partitions"].as_array().map_or(0, Vec::len);
        let topics = list["topics"].as_array().context("no topics")?.iter();
        Ok(topics
            .map(|topic| {
                (
                    topic["topic"].as_str().unwrap_or_default().to_owned(),
                    count(topic),
                )
            })
            .collect())
    }
}

impl Reader {
    fn start(mut command: Command) -> Result<Reader> {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(
            process
                .stdout
                .take()
                .context("kcat has no standard output")?,
        );
        let errors = BufReader::new(
            process
                .stderr
                .take()
                .context("kcat has no standard error")?,
        );
        let (record_sender, records) = channel();
        let (note_sender, notes) = channel();
        thread::spawn(move || {
            while let Some(record) = next_record(&mut output).transpose() {
                let failed = record.is_err();
                if record_sender.send(record).is_err() || failed {
                    break;
                }
            }
        });
        thread::spawn(move || {
            errors
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| note_sender.send(line))
        });
        Ok(Reader {
            process,
            records,
            notes,
        })
    }

    /// Waits until kcat says that it has reached the end of the partition.
    fn wait_end(&self) -> Result<()> {
        loop {
            let note = self
                .notes
                .recv_timeout(PATIENCE)
                .context("kcat did not reach the end")?;
            if note.contains("Reached end of topic") {
                return Ok(());
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Records as `kcat -P -K -D` takes them: no key without the mark that ends it.
fn render(records: &[Record]) -> Vec<u8> {
    let mut text = Vec::new();
    for record in records {
        if let Some(key) = &record.key {
            text.extend_from_slice(key);
            text.extend_from_slice(KEY_END.as_bytes());
        }
        text.extend_from_slice(record.value.as_deref().unwrap_or_default());
        text.extend_from_slice(RECORD_END.as_bytes());
    }
    text
}

/// A header as kcat prints it.
fn show_header(name: &str, value: &Option<Vec<u8>>) -> Vec<u8> {
    let value = value.as_deref().unwrap_or(b"NULL");
    let until_nul = value.split(|byte| *byte == 0).next().unwrap_or_default();
    [name.as_bytes(), b"=", until_nul].concat()
}

/// Parses `offset time key-length value-length|KEY VALUE|headers RS`; a length of -1 is a null.
fn next_record(input: &mut impl BufRead) -> Result<Option<Received>> {
    let mut head = Vec::new();
    input.read_until(b'|', &mut head)?;
    if head.is_empty() {
        return Ok(None);
    }
    let head = String::from_utf8(head)?;
    let numbers: Vec<i64> = head
        .trim_end_matches('|')
        .split(' ')
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [offset, timestamp, key_size, value_size] = numbers[..] else {
        bail!("kcat printed {head}")
    };
    let key = next_bytes(input, key_size)?.filter(|key| !key.is_empty());
    let value = next_bytes(input, value_size)?;
    let mut headers = Vec::new();
    input.read_until(HEADERS_END, &mut headers)?;
    // kcat was ended in the midst of it.
    let Some(text) = headers
        .strip_prefix(b"|")
        .and_then(|rest| rest.strip_suffix(&[HEADERS_END]))
    else {
        return Ok(None);
    };
    let headers = if text.is_empty() {
        Vec::new()
    } else {
        vec![(String::new(), Some(text.to_vec()))]
    };
    Ok(Some(Received {
        offset,
        record: Record {
            key,
            value,
            headers,
            timestamp,
        },
    }))
}

fn next_bytes(input: &mut impl Read, size: i64) -> Result<Option<Vec<u8>>> {
    let Ok(size) = usize::try_from(size) else {
        return Ok(None);
    };
    let mut bytes = vec![0; size];
    input.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::next_record;

    #[test]
    fn printed_records_are_taken_apart_by_their_lengths() {
        let mut text: &[u8] = b"7 1000 3 4|k|yv\n|\x1e|a=1,b=2\x1e8 1001 -1 -1||\x1e";
        let first = next_record(&mut text).unwrap().unwrap();
        assert_eq!((first.offset, first.record.timestamp), (7, 1000));
        assert_eq!(first.record.key.as_deref(), Some(&b"k|y"[..]));
        assert_eq!(first.record.value.as_deref(), Some(&b"v\n|\x1e"[..]));
        assert_eq!(
            first.record.headers,
            [(String::new(), Some(b"a=1,b=2".to_vec()))]
        );
        let second = next_record(&mut text).unwrap().unwrap();
        assert_eq!(
            (
                second.record.key,
                second.record.value,
                second.record.headers
            ),
            (None, None, vec![])
        );
        assert!(next_record(&mut text).unwrap().is_none());
    }
}
