//! What `strace -f -C` wrote: its table of calls, and the bytes that calls said they moved.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Calls whose result is a number of bytes, with what they move.
pub(crate) const MOVING: [(&str, &str); 12] = [
    ("sendfile", "segment file to socket, inside the kernel"),
    (
        "sendmsg",
        "gathered: answer headers and mapped segment pages to socket",
    ),
    ("sendto", "user buffer to socket"),
    ("write", "user buffer to descriptor"),
    ("writev", "user buffers to descriptor"),
    ("pwrite64", "user buffer to file"),
    ("pwritev", "staging ring to segment file"),
    ("recvfrom", "socket to user buffer"),
    ("recvmsg", "socket to user buffers"),
    ("read", "descriptor to user buffer"),
    ("pread64", "file to user buffer"),
    ("preadv", "file to user buffers"),
];

/// A trace of one life of the broker.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// The table as strace printed it.
    pub(crate) table: String,
    calls: BTreeMap<String, u64>,
    bytes: BTreeMap<String, u64>,
}

impl Trace {
    /// Reads what strace wrote to `path`; it ends its table a moment after the broker.
    ///
    /// # Errors
    /// There is no table after a while.
    pub(crate) fn read(path: &Path) -> Result<Trace> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let text = std::fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            if let Some(trace) = Trace::parse(&text) {
                return Ok(trace);
            }
            ensure!(
                Instant::now() < deadline,
                "strace wrote no table to {}",
                path.display()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How often a call was made.
    pub(crate) fn calls(&self, name: &str) -> u64 {
        self.calls.get(name).copied().unwrap_or(0)
    }

    /// How many bytes a call has moved.
    pub(crate) fn bytes(&self, name: &str) -> u64 {
        self.bytes.get(name).copied().unwrap_or(0)
    }

    /// A table of the calls that moved bytes, in Markdown.
    pub(crate) fn bytes_table(&self) -> String {
        let mut table =
            "| call | calls | bytes | from where to where |\n|---|---:|---:|---|\n".to_owned();
        for (name, what) in MOVING.iter().filter(|(name, _)| self.calls(name) > 0) {
            table += &format!(
                "| `{name}` | {} | {} | {what} |\n",
                self.calls(name),
                self.bytes(name)
            );
        }
        table
    }

    fn parse(text: &str) -> Option<Trace> {
        let start = text.find("% time")?;
        let table = &text[start..];
        // Its last line sums up; without it, strace is still writing.
        let end = table.rfind(" total")? + " total".len();
        let mut trace = Trace {
            table: table[..end].to_owned(),
            ..Trace::default()
        };
        for line in table[..end].lines().skip(2) {
            if let Some((name, calls)) = table_row(line) {
                trace.calls.insert(name.to_owned(), calls);
            }
        }
        for line in text[..start].lines() {
            if let Some((name, bytes)) = moved(line) {
                *trace.bytes.entry(name.to_owned()).or_default() += bytes;
            }
        }
        Some(trace)
    }
}

/// A row `% seconds usecs/call calls [errors] name`.
fn table_row(line: &str) -> Option<(&str, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let name = fields.last().filter(|name| **name != "total")?;
    Some((name, fields.get(3)?.parse().ok()?))
}

/// The call and the bytes of a line `PID name(…) = N` or `PID <... name resumed>…) = N`.
fn moved(line: &str) -> Option<(&'static str, u64)> {
    let (_, call) = line.split_once(' ')?;
    let call = call.trim_start();
    let named = call.strip_prefix("<... ").unwrap_or(call);
    let end = named.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
    let (name, _) = MOVING.iter().find(|(name, _)| *name == &named[..end])?;
    let (_, result) = call.rsplit_once(" = ")?;
    Some((name, result.split_whitespace().next()?.parse().ok()?))
}

/// Insists on a relation of two figures, and says both.
///
/// # Errors
/// It does not hold.
pub(crate) fn check(what: &str, least: u64, most: u64) -> Result<()> {
    ensure!(least < most, "{what}: {least} is not less than {most}");
    println!("ok    {what}: {least} < {most}");
    Ok(())
}

/// Waits for strace to be there.
pub(crate) fn require(strace: Option<&Path>) -> Result<&Path> {
    strace.context("strace is not installed")
}

#[cfg(test)]
mod tests {
    use super::Trace;

    const TEXT: &str = "\
7 sendfile(9, 12, [0] => [500], 500) = 500
8 sendfile(9, 12, [500] => [700], 500 <unfinished ...>
7 write(1, \"ready\\n\", 6) = 6
8 <... sendfile resumed>) = 200
7 read(3, \"a = 5\", 100) = -1 EAGAIN (Resource temporarily unavailable)
7 futex(0x1, FUTEX_WAIT) = 0
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.1          10         2           sendfile
 40.00    0.1          10         9         1 read
------ ----------- ----------- --------- --------- ----------------
100.00    0.2                    11         1 total
";

    #[test]
    fn calls_and_bytes_are_counted_by_name() {
        let trace = Trace::parse(TEXT).unwrap();
        assert_eq!((trace.calls("sendfile"), trace.bytes("sendfile")), (2, 700));
        assert_eq!((trace.calls("read"), trace.bytes("read")), (9, 0));
        assert_eq!((trace.calls("write"), trace.bytes("write")), (0, 6));
        assert!(trace.table.ends_with(" total"));
    }

    #[test]
    fn a_table_without_its_sum_is_not_done() {
        assert!(Trace::parse(&TEXT[..TEXT.len() - 10]).is_none());
    }
}
