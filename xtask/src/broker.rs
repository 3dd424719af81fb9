//! The broker as a process under test: started, waited for, killed or stopped, measured from outside.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command;

/// How long a start or a clean stop may take before the test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Tests send records of any time, on disks that others fill.
const WHATEVER_DISK_AND_TIME: [&str; 4] = [
    "--set",
    "kafka.log.retention.ms=-1",
    "--set",
    "disk.refuse.percent=101",
];

/// How to start a broker.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The program.
    pub(crate) binary: PathBuf,
    /// Its data directory.
    pub(crate) data: PathBuf,
    /// Arguments beside the data directory and the listener.
    pub(crate) arguments: Vec<String>,
    /// A port of 127.0.0.1; 0 lets the system choose.
    pub(crate) port: u16,
    /// Where its standard error goes; appended to.
    pub(crate) log: PathBuf,
}

impl Setup {
    /// A broker on a free port with its defaults, but that it keeps records of any time on any disk, data and log under `directory`.
    pub(crate) fn new(binary: &Path, directory: &Path) -> Setup {
        Setup {
            binary: binary.to_path_buf(),
            data: directory.join("data"),
            arguments: WHATEVER_DISK_AND_TIME.map(str::to_owned).to_vec(),
            port: 0,
            log: directory.join("broker.log"),
        }
    }

    /// The same with further arguments.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Setup {
        self.arguments
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// The command that starts this broker.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--data-dir").arg(&self.data);
        command
            .arg("--kafka")
            .arg(format!("127.0.0.1:{}", self.port));
        command.args(&self.arguments);
        command
    }

    /// Starts a process, and does not wait until it serves.
    ///
    /// # Errors
    /// The program or its log file cannot be opened.
    pub(crate) fn spawn(&self) -> Result<Broker> {
        self.spawn_as(self.command())
    }

    /// Starts `command` (this broker's own, perhaps inside another program) as the process under test.
    ///
    /// # Errors
    /// The program or its log file cannot be opened.
    pub(crate) fn spawn_as(&self, mut command: Command) -> Result<Broker> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot open {}", self.log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let started = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        let stdout = child
            .stdout
            .take()
            .context("the broker has no standard output")?;
        let lines = read_lines(stdout);
        Ok(Broker {
            child,
            lines,
            started,
            log: self.log.clone(),
            ready: None,
        })
    }

    /// Starts a process and waits until it serves.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not say `ready` in time; its last log lines are in the error.
    pub(crate) fn start(&self) -> Result<Broker> {
        let mut broker = self.spawn()?;
        broker.wait_ready(PATIENCE)?;
        Ok(broker)
    }
}

/// A running broker; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Broker {
    child: Child,
    lines: Receiver<String>,
    started: Instant,
    log: PathBuf,
    ready: Option<Ready>,
}

/// What the broker said when it began to serve.
#[derive(Clone, Debug)]
struct Ready {
    address: String,
    after: Duration,
}

impl Broker {
    /// Waits for the line `ready kafka=ADDRESS` and returns the address.
    ///
    /// # Errors
    /// The process ends, or says nothing for `patience`.
    pub(crate) fn wait_ready(&mut self, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                let state = match self.child.try_wait()? {
                    Some(status) => format!("ended with {status}"),
                    None => format!("was not ready after {patience:?}"),
                };
                bail!("the broker {state}; its log ends:\n{}", self.log_tail());
            };
            if let Some(address) = address_of(&line) {
                self.ready = Some(Ready {
                    address: address.clone(),
                    after: self.started.elapsed(),
                });
                return Ok(address);
            }
        }
    }

    /// Where it listens: `127.0.0.1:PORT`.
    ///
    /// # Panics
    /// When nobody waited until it was ready.
    pub(crate) fn address(&self) -> &str {
        &self
            .ready
            .as_ref()
            .expect("asked for the address before the broker was ready")
            .address
    }

    /// From the start of the process to its `ready` line; zero while it is not ready.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready
            .as_ref()
            .map_or(Duration::ZERO, |ready| ready.after)
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL and waits until it is gone. One that has ended already is left as it is.
    ///
    /// # Errors
    /// The process cannot be waited for.
    pub(crate) fn kill(&mut self) -> Result<ExitStatus> {
        // Fails only when it has ended and was waited for.
        let _ = self.child.kill();
        self.child.wait().context("cannot wait for the broker")
    }

    /// Asks it to stop with SIGTERM, waits, and insists on a clean end.
    ///
    /// # Errors
    /// It does not end in time, or with another status than success.
    pub(crate) fn stop(mut self) -> Result<Duration> {
        let asked = Instant::now();
        self.terminate()?;
        let status = self.wait_end(PATIENCE)?;
        if !status.success() {
            bail!(
                "the broker stopped with {status}; its log ends:\n{}",
                self.log_tail()
            );
        }
        Ok(asked.elapsed())
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn terminate(&self) -> Result<()> {
        command::terminate(&self.child)
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// It is still there after `patience`.
    pub(crate) fn wait_end(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        bail!(
            "the broker was still there after {patience:?}; its log ends:\n{}",
            self.log_tail()
        )
    }

    /// Whether the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines that it has logged.
    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// What the process has used so far.
    ///
    /// # Errors
    /// `/proc` cannot be read, as when the process has ended.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.id())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// What a process has used: see proc_pid_stat(5) and proc_pid_status(5).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of all its threads, in seconds.
    pub(crate) processor_seconds: f64,
    /// The most memory that was resident at once (`VmHWM`), in KiB.
    pub(crate) resident_peak_kib: u64,
    /// The resident memory now that belongs to no file (`RssAnon`), in KiB.
    pub(crate) anonymous_kib: u64,
}

impl Usage {
    /// What the process `id` has used.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(crate) fn of(id: u32) -> Result<Usage> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        Ok(Usage {
            processor_seconds: processor_seconds(&stat)
                .context("/proc/PID/stat has an unknown form")?,
            resident_peak_kib: status_kib(&status, "VmHWM:").unwrap_or(0),
            anonymous_kib: status_kib(&status, "RssAnon:").unwrap_or(0),
        })
    }
}

/// Fields 14 and 15 of `/proc/PID/stat`, counted from after the name, which may hold spaces and parentheses.
fn processor_seconds(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..]
        .split_ascii_whitespace()
        .collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "100 on every Linux")]
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Some(ticks / per_second)
}

/// The number of KiB in the line of `/proc/PID/status` that begins with `name`.
fn status_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line[name.len()..]
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .ok()
}

/// Reads lines on a thread of its own, so that waiting for one can end and the pipe never fills.
fn read_lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens after the broker was ready; the pipe is still emptied.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// The address in a line `ready kafka=ADDRESS`, which may name other listeners too.
fn address_of(line: &str) -> Option<String> {
    let rest = line.strip_prefix("ready ")?;
    let address = rest
        .split_whitespace()
        .find_map(|word| word.strip_prefix("kafka="))?;
    Some(address.split(',').next().unwrap_or(address).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{address_of, processor_seconds, status_kib};

    #[test]
    fn the_ready_line_names_the_address() {
        assert_eq!(
            address_of("ready kafka=127.0.0.1:9092").as_deref(),
            Some("127.0.0.1:9092")
        );
        assert_eq!(
            address_of("ready other=1 kafka=127.0.0.1:1").as_deref(),
            Some("127.0.0.1:1")
        );
        assert_eq!(address_of("not ready kafka=127.0.0.1:9092"), None);
    }

    #[test]
    fn a_name_with_spaces_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(processor_seconds(stat), Some(2.0));
    }

    #[test]
    fn status_lines_are_found_by_name() {
        assert_eq!(
            status_kib("VmPeak:\t 9 kB\nVmHWM:\t  1234 kB\n", "VmHWM:"),
            Some(1234)
        );
        assert_eq!(status_kib("VmPeak:\t 9 kB\n", "VmHWM:"), None);
    }
}
