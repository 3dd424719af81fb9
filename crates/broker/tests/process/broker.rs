//! A broker in a process of its own, on a free port and a data directory that vanishes.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Small files, so that a test costs no disk; and however full it is.
pub(crate) const SMALL: &[&str] = &[
    "--set",
    "segment.bytes=4MiB",
    "--set",
    "disk.refuse.percent=101",
];

/// The arguments of a broker with its data there, on a free port.
pub(crate) fn at(data: &Path) -> [&str; 4] {
    let data = data.to_str().unwrap();
    ["--data-dir", data, "--kafka", "127.0.0.1:0"]
}

/// `pagelog` with these arguments and nothing of this process's own settings.
pub(crate) fn pagelog(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pagelog"));
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PAGELOG_"))
    {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a broker that is expected to end by itself.
pub(crate) fn run(command: &mut Command) -> Ended {
    Ended::new(command.output().unwrap())
}

/// How a broker ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) log: String,
}

impl Ended {
    fn new(output: Output) -> Ended {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended {
            code: output.status.code(),
            output: text(output.stdout),
            log: text(output.stderr),
        }
    }
}

/// A broker that serves; it is killed when this is dropped.
pub(crate) struct Broker {
    child: Option<Child>,
    /// Kept open, so that the broker can write.
    output: BufReader<ChildStdout>,
    /// The line that it wrote when it was ready.
    pub(crate) ready: String,
}

impl Broker {
    /// Starts a broker with these arguments beside small files, and waits for its line.
    pub(crate) fn start(arguments: &[&str]) -> Broker {
        Broker::spawn(pagelog(arguments).args(SMALL))
    }

    /// Starts the command and waits for its line.
    pub(crate) fn spawn(command: &mut Command) -> Broker {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        output.read_line(&mut ready).unwrap();
        if ready.is_empty() {
            let ended = Ended::new(child.wait_with_output().unwrap());
            panic!("the broker did not become ready: {ended:?}");
        }
        Broker {
            child: Some(child),
            output,
            ready: ready.trim_end().to_owned(),
        }
    }

    /// The address after `NAME=` in the line.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let prefix = format!("{name}=");
        let address = self
            .ready
            .split(' ')
            .find_map(|word| word.strip_prefix(prefix.as_str()));
        address
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.ready))
            .parse()
            .unwrap()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(self.process_id().cast_signed()).unwrap();
        kill_process(process, signal).unwrap();
    }

    /// Its log from now on, as it comes; it is not in [`Ended::log`] any more.
    pub(crate) fn take_log(&mut self) -> BufReader<ChildStderr> {
        let child = self.child.as_mut().unwrap();
        BufReader::new(child.stderr.take().unwrap())
    }

    /// Waits for the end that a signal or a failure brings.
    pub(crate) fn wait(mut self) -> Ended {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let mut ended = Ended::new(self.child.take().unwrap().wait_with_output().unwrap());
        ended.output = rest;
        ended
    }

    /// Sends the signal and waits.
    pub(crate) fn stop(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.wait()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
