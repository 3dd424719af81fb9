//! The real Kafka, driven by the same load: started from a directory of its jars, on the same disk.
//!
//! One node that is broker and controller, with the heap and collector of the stock scripts. It
//! takes topics that sync each batch (`flush.messages=1`, what Pagelog promises by default) and
//! topics with Kafka's own default, which leaves the sync to the kernel, in one process.

use std::cell::Cell;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::client::Client;
use crate::process::processor_time;

/// How long a Java virtual machine may take to its first answer.
const START_MAX: Duration = Duration::from_secs(120);

/// A running Kafka.
pub(crate) struct Kafka {
    child: Child,
    pub(crate) address: SocketAddr,
    topics: Cell<u32>,
    _directory: TempDir,
}

impl Kafka {
    /// Formats a log directory below `parent` and starts a node on it.
    ///
    /// # Errors
    /// Where Java or a jar is missing, or the node does not listen within two minutes.
    pub(crate) fn start(jars: &Path, parent: &Path) -> Result<Kafka> {
        let directory = tempfile::Builder::new()
            .prefix("kafka-")
            .tempdir_in(parent)?;
        let port = free_port_pair()?;
        let settings = directory.path().join("server.properties");
        fs::write(&settings, properties(port, &directory.path().join("logs")))?;
        fs::write(directory.path().join("log4j2.properties"), LOGGING)?;
        format(jars, directory.path(), &settings)?;
        let output = File::create(directory.path().join("output"))?;
        let child = java(jars, directory.path())
            .args([
                "-Xms1G",
                "-Xmx1G",
                "-XX:+UseG1GC",
                "-XX:MaxGCPauseMillis=20",
            ])
            .args([
                "-XX:InitiatingHeapOccupancyPercent=35",
                "-XX:+ExplicitGCInvokesConcurrent",
            ])
            .arg("kafka.Kafka")
            .arg(&settings)
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("start java")?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let kafka = Kafka {
            child,
            address,
            topics: Cell::new(0),
            _directory: directory,
        };
        kafka.wait_for_listener()?;
        Ok(kafka)
    }

    fn wait_for_listener(&self) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        while Client::connect(self.address).is_err() {
            ensure!(
                Instant::now() < deadline,
                "Kafka does not listen after {START_MAX:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// A name that no topic has had: the node lives through all cases.
    pub(crate) fn new_topic_name(&self) -> &'static str {
        self.topics.set(self.topics.get() + 1);
        // As many are leaked as there are cases.
        format!("bench-{}", self.topics.get()).leak()
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time of the node so far.
    ///
    /// # Errors
    /// Where it is gone.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        processor_time(self.child.id())
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // Ended already is as good; its directory goes with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Only what goes wrong, so that logging costs the peer nothing.
const LOGGING: &str = "rootLogger.level=error\nrootLogger.appenderRef.out.ref=out\n\
    appender.out.type=Console\nappender.out.name=out\n\
    appender.out.layout.type=PatternLayout\nappender.out.layout.pattern=%d %p %m%n\n";

fn java(jars: &Path, directory: &Path) -> Command {
    let mut logging = std::ffi::OsString::from("-Dlog4j2.configurationFile=");
    logging.push(directory.join("log4j2.properties"));
    let mut path = PathBuf::from(jars).into_os_string();
    path.push("/*");
    let mut command = Command::new("java");
    command
        .arg("-cp")
        .arg(path)
        .arg(logging)
        .stdin(Stdio::null());
    command
}

fn format(jars: &Path, directory: &Path, settings: &Path) -> Result<()> {
    let tool = |arguments: &[&str]| {
        let output = java(jars, directory)
            .arg("kafka.tools.StorageTool")
            .args(arguments)
            .output();
        let output = output.context("start java")?;
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "Kafka's StorageTool: {message}");
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let id = tool(&["random-uuid"])?;
    let settings = settings.to_str().context("a path in UTF-8")?;
    tool(&["format", "--standalone", "-t", &id, "-c", settings])?;
    Ok(())
}

fn properties(port: u16, logs: &Path) -> String {
    let controller = port + 1;
    format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\nlog.dirs={}\n",
        logs.display()
    )
}

/// Two neighbouring ports that nobody listens on, below the range that the kernel gives out.
fn free_port_pair() -> Result<u16> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = 20_000 + u16::try_from(std::process::id() % 5_000)? * 2;
    (first..32_000)
        .step_by(2)
        .find(|&port| free(port) && free(port + 1))
        .context("no two free ports below 32000")
}
