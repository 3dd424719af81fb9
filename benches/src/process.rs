//! A server process of a bench: started, waited for until it says `ready`, asked for its processor
//! time and memory, stopped or killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pagelog_os::process::Process;
use rustix::process::{Pid, Signal, kill_process};

/// How long a stop may take before it is a failure.
const STOP_MAX: Duration = Duration::from_secs(30);

/// A child process, killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The line that began with `ready`, without that word.
    pub(crate) ready: String,
    /// From before the start of the process to its `ready` line.
    pub(crate) start: Duration,
}

impl Server {
    /// Starts `command` and waits for its `ready` line.
    ///
    /// # Errors
    /// Where it does not start, or ends before it is ready.
    pub(crate) fn start(command: &mut Command) -> Result<Server> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let started = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let output = child
            .stdout
            .take()
            .context("the standard output of a child")?;
        let mut server = Server {
            child,
            output: BufReader::new(output),
            ready: String::new(),
            start: Duration::ZERO,
        };
        server.ready = server.wait_ready(&program)?;
        server.start = started.elapsed();
        Ok(server)
    }

    fn wait_ready(&mut self, program: &str) -> Result<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line)? > 0 {
            if let Some(rest) = line.trim().strip_prefix("ready ") {
                return Ok(rest.to_owned());
            }
            line.clear();
        }
        bail!("{program} ended before it was ready")
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time of all threads, ended ones included.
    ///
    /// # Errors
    /// Where the process is gone.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        processor_time(self.id())
    }

    /// Anonymous and shared-memory bytes that are resident, by `/proc/PID/status`.
    ///
    /// # Errors
    /// Where the process is gone.
    pub(crate) fn anonymous_memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let kibibytes = |key: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let word = line.and_then(|line| line.split_whitespace().next());
            Ok(word
                .with_context(|| format!("no {key} in the status of the process"))?
                .parse()?)
        };
        Ok((kibibytes("RssAnon:")? + kibibytes("RssShmem:")?) * 1024)
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// Where it does not end within 30 s, or not well.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + STOP_MAX;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "ended with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("does not stop within {STOP_MAX:?}")
    }

    /// SIGKILL, and waits for the end.
    ///
    /// # Errors
    /// Where the process is not this one's to kill any more.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        kill_process(id.context("a process number")?, signal)?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of all threads of a process, ended ones included.
///
/// # Errors
/// Where the process is gone.
pub(crate) fn processor_time(id: u32) -> Result<Duration> {
    let time = Process::Id(id).processor_time();
    time.with_context(|| format!("the processor time of process {id}"))
}

/// Processor time of the threads that live of a process and whose names begin with `name`, by the scheduler's nanoseconds (the ticks of
/// `/proc/PID/stat` are too coarse for a round).
///
/// # Errors
/// Where the process is gone.
pub(crate) fn processor_time_of(id: u32, name: &str) -> Result<Duration> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
        let task = task?.path();
        // A thread may end between the listing and the reading.
        let named = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
        if !named.starts_with(name) {
            continue;
        }
        if let Ok(text) = std::fs::read_to_string(task.join("schedstat")) {
            total += text
                .split(' ')
                .next()
                .unwrap_or("0")
                .parse::<u64>()
                .unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(total))
}

/// The threads of this process that have this name.
///
/// # Errors
/// Where `/proc` does not tell.
pub(crate) fn threads_named(name: &str) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?;
        // One that ends meanwhile has no name.
        let named = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if named.trim() == name {
            found.push(task.file_name().to_string_lossy().parse()?);
        }
    }
    Ok(found)
}

/// The processor time of a thread of this process.
///
/// # Errors
/// Where it has ended.
pub(crate) fn thread_time(id: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{id}/schedstat"))?;
    let nanoseconds = text.split(' ').next().unwrap_or("").parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// The address after `ready`, with or without a `NAME=` before it.
///
/// # Errors
/// Where there is none.
pub(crate) fn address(ready: &str) -> Result<SocketAddr> {
    let word = ready.split_whitespace().next().unwrap_or("");
    let address = word.rsplit('=').next().unwrap_or("");
    address
        .parse()
        .with_context(|| format!("no address in `ready {ready}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_behind_its_name() {
        assert_eq!(address("kafka=127.0.0.1:9092").unwrap().port(), 9092);
        assert_eq!(address("127.0.0.1:1").unwrap().port(), 1);
        assert!(address("soon").is_err());
    }

    #[test]
    fn a_thread_is_found_by_its_name() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let named = std::thread::Builder::new().name("looked-for".into());
        let thread = named.spawn(move || stopped.recv().is_err()).unwrap();
        // A thread names itself when it has begun.
        while threads_named("looked-for").unwrap().is_empty() {
            std::thread::yield_now();
        }
        let found = threads_named("looked-for").unwrap();
        assert_eq!(found.len(), 1);
        assert!(thread_time(found[0]).is_ok());
        drop(stop);
        assert!(thread.join().unwrap());
    }

    #[test]
    fn this_process_has_used_time() {
        assert!(processor_time(std::process::id()).unwrap() > Duration::ZERO);
    }
}
