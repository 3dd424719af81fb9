//! How a program of Apache Kafka's jars is started.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// A consumer at a shell: prints the values of what it reads.
pub(crate) const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

/// A consumer that says what it reads, is assigned and commits.
pub(crate) const VERIFIABLE_CONSUMER: &str = "org.apache.kafka.tools.VerifiableConsumer";

/// A producer that numbers what it sends and says what was acknowledged.
pub(crate) const VERIFIABLE_PRODUCER: &str = "org.apache.kafka.tools.VerifiableProducer";

/// A producer that measures how fast it is.
pub(crate) const PRODUCER_PERFORMANCE: &str = "org.apache.kafka.tools.ProducerPerformance";

/// A consumer that measures how fast it is.
pub(crate) const CONSUMER_PERFORMANCE: &str = "org.apache.kafka.tools.ConsumerPerformance";

/// A port of this machine at which nobody listens.
const NOBODY: &str = "127.0.0.1:9";

/// One release of Apache Kafka.
#[derive(Clone, Debug)]
pub(crate) struct Jvm {
    /// The `java` program.
    pub(crate) java: PathBuf,
    /// As the release is called in the report and in topics.
    pub(crate) version: &'static str,
    /// The directory with its jars.
    pub(crate) jars: PathBuf,
}

impl Jvm {
    /// The command that runs a class, to which the arguments of that are to be added.
    pub(crate) fn command(&self, class: &str) -> Command {
        self.command_with("SharedArchiveFile", class)
    }

    /// Has Java keep what it loads for a consumer, so that whatever runs later begins in two thirds of the time. Without it all is the same, but slower: a Java that
    /// knows of no archives, or an archive of another Java, is no error.
    ///
    /// # Errors
    /// Java does not start.
    pub(crate) fn make_archive(&self) -> Result<()> {
        let mut command = self.command_with("ArchiveClassesAtExit", CONSOLE_CONSUMER);
        command.args([
            "--bootstrap-server",
            NOBODY,
            "--topic",
            "none",
            "--timeout-ms",
            "1",
        ]);
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().context("cannot start java")?;
        Ok(())
    }

    fn command_with(&self, archive_option: &str, class: &str) -> Command {
        let mut command = Command::new(&self.java);
        // These programs are short-lived, or do little: what the compiler would do for speed costs them more than it brings.
        command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
        // What Java says of archives would stand among what the program prints.
        command.args(["-Xlog:disable", "-XX:+IgnoreUnrecognizedVMOptions"]);
        command.arg(format!("-XX:{archive_option}={}", self.archive().display()));
        command.arg("-cp").arg(self.jars.join("*")).arg(class);
        command
    }

    fn archive(&self) -> PathBuf {
        self.jars.join("classes.jsa")
    }
}
