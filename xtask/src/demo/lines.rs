//! The clients of the demonstration: who sends lines, who reads them, and what they say about it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::setup;

/// Lines that were sent or read, and how long it took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) lines: u64,
    pub(crate) sha256: String,
    pub(crate) took: Duration,
}

/// confluent-kafka sending in the background.
pub(crate) struct Sending {
    process: Child,
    progress: std::cell::RefCell<BufReader<ChildStdout>>,
    begun: Instant,
}

impl Sending {
    /// Starts to send the lines of a file.
    ///
    /// # Errors
    /// Python cannot be started.
    pub(crate) fn start(
        python: &Path,
        bootstrap: &str,
        topic: &str,
        file: &Path,
    ) -> Result<Sending> {
        let mut command = Command::new(python);
        command
            .arg(setup::agents().join("produce_lines.py"))
            .args([bootstrap, topic])
            .arg(file);
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start Python")?;
        let output = process
            .stdout
            .take()
            .context("Python has no standard output")?;
        Ok(Sending {
            process,
            progress: BufReader::new(output).into(),
            begun: Instant::now(),
        })
    }

    /// Waits until so many lines are acknowledged, and says how many are.
    ///
    /// # Errors
    /// The client ends before.
    pub(crate) fn wait_for(&self, lines: u64) -> Result<u64> {
        loop {
            let acknowledged = self.next()?["acknowledged"].as_u64().unwrap_or(0);
            if acknowledged >= lines {
                return Ok(acknowledged);
            }
        }
    }

    /// Waits until all is sent and acknowledged.
    ///
    /// # Errors
    /// The client gave up.
    pub(crate) fn wait_end(mut self) -> Result<Sent> {
        loop {
            let said = self.next()?;
            if let Some(sha256) = said["sha256"].as_str() {
                let lines = said["acknowledged"].as_u64().unwrap_or(0);
                let took = self.begun.elapsed();
                ensure!(
                    self.process.wait()?.success(),
                    "the client failed after its last line"
                );
                return Ok(Sent {
                    lines,
                    sha256: sha256.to_owned(),
                    took,
                });
            }
        }
    }

    fn next(&self) -> Result<Value> {
        let mut line = String::new();
        if self.progress.borrow_mut().read_line(&mut line)? == 0 {
            bail!("the client ended before all was acknowledged");
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads a topic of one partition with confluent-kafka.
///
/// # Errors
/// The client fails.
pub(crate) fn read_with_confluent(python: &Path, bootstrap: &str, topic: &str) -> Result<Sent> {
    let begun = Instant::now();
    let mut command = Command::new(python);
    command
        .arg(setup::agents().join("consume_lines.py"))
        .args([bootstrap, topic]);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start Python")?;
    ensure!(output.status.success(), "the reader failed");
    let said: Value = serde_json::from_slice(&output.stdout)?;
    Ok(Sent {
        lines: said["lines"].as_u64().context("no lines")?,
        sha256: said["sha256"].as_str().context("no digest")?.to_owned(),
        took: begun.elapsed(),
    })
}

/// Reads a topic of one partition with kcat.
///
/// # Errors
/// kcat or sha256sum fails.
pub(crate) fn read_with_kcat(kcat: &Path, bootstrap: &str, topic: &str) -> Result<Sent> {
    let begun = Instant::now();
    let mut command = Command::new(kcat);
    command.args([
        "-C",
        "-b",
        bootstrap,
        "-t",
        topic,
        "-p",
        "0",
        "-o",
        "beginning",
        "-e",
        "-q",
        "-f",
        "%s\\n",
    ]);
    // Lines are short: with the default of 100,000 the client pauses whenever it is ahead of its output.
    command.args(["-X", "queued.min.messages=10000000"]);
    let mut reader = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start kcat")?;
    let mut output = reader
        .stdout
        .take()
        .context("kcat has no standard output")?;
    let mut digest = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = copy_lines(
        &mut output,
        digest
            .stdin
            .take()
            .context("sha256sum has no standard input")?,
    )?;
    let text = String::from_utf8(digest.wait_with_output()?.stdout)?;
    ensure!(reader.wait()?.success(), "kcat failed");
    let sha256 = text
        .split_whitespace()
        .next()
        .context("sha256sum says nothing")?
        .to_owned();
    Ok(Sent {
        lines,
        sha256,
        took: begun.elapsed(),
    })
}

/// Copies everything and counts line feeds; `output` is closed at the end.
fn copy_lines(input: &mut impl Read, mut output: impl Write) -> Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let mut lines = 0;
    loop {
        let size = input.read(&mut buffer)?;
        if size == 0 {
            return Ok(lines);
        }
        lines += buffer[..size].iter().filter(|byte| **byte == b'\n').count() as u64;
        output.write_all(&buffer[..size])?;
    }
}
