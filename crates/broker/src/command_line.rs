//! The command line: flags become assignments, the strongest source of settings.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::offline::Offline;
use crate::settings;
use crate::settings::environment::CONFIG_VARIABLE;
use crate::settings::error::SettingsError;
use crate::settings::source::{Assignment, Origin};
use crate::settings::table::{DATA_DIR, FLUSH_POLICY, KAFKA_LISTENERS, Setting};

/// What follows the options in `--help`.
const EXAMPLES: &str = "\
Examples:
  pagelog
      Serves Kafka clients on 127.0.0.1:9092, data in ./pagelog-data, acknowledged means on the disk.
  pagelog --data-dir /var/lib/pagelog --kafka 0.0.0.0:9092@broker.example.org
      Serves the network; clients are told to connect to broker.example.org:9092.
  pagelog --kafka 127.0.0.1:9092 --kafka LAN=192.168.1.5:9093
      Two listeners; each tells its clients its own address.
  pagelog --kafka 127.0.0.1:0
      A free port; the line `ready kafka=127.0.0.1:PORT` on standard output names it.
  pagelog --config pagelog.toml --set kafka.num.partitions=4
      Settings of a file, one of them overridden.
  pagelog check /var/lib/pagelog
      Says whether the log is whole, as a start would; changes nothing. See also `inspect` and `repair`.

Settings: defaults < --config FILE < environment (PAGELOG_KAFKA_NUM_PARTITIONS) < flags.
All of them: pagelog --help. Exit codes, signals, limits: docs/operations.md. What is logged: PAGELOG_LOG=debug.";

/// What follows the options in `--help`; `-h` leaves the settings out.
fn long_help() -> String {
    format!("{EXAMPLES}\n\n{}", settings::for_help())
}

/// A broker for Kafka clients over one durable log.
#[derive(Debug, Parser)]
#[command(name = "pagelog", version, after_help = EXAMPLES, after_long_help = long_help())]
#[command(
    override_usage = "pagelog [serve] [OPTIONS]\n       pagelog inspect|check|repair|doctor DIR [OPTIONS]",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves until it is stopped; what `pagelog` does when no command is given.
    #[command(after_help = EXAMPLES, after_long_help = long_help())]
    Serve(Serve),
    #[command(flatten)]
    Offline(Offline),
}

/// The flags of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// A file with settings, in TOML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the log lives [default: pagelog-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<OsString>,
    /// Where Kafka clients connect, or `off`; may be given more than once [default: 127.0.0.1:9092].
    #[arg(long, value_name = "[NAME=]ADDR[@ADVERTISED]|off")]
    kafka: Vec<String>,
    /// When an acknowledged record is on the disk: at once, or at intervals [default: sync].
    #[arg(long, value_name = "sync|interval")]
    flush: Option<String>,
    /// Any setting; may be given more than once.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl CommandLine {
    /// The command, which is `serve` when none was said.
    pub(crate) fn chosen(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

impl Serve {
    /// The settings file: `--config`, else the environment's.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        self.config
            .clone()
            .or_else(|| std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from))
    }

    /// What the flags set.
    ///
    /// # Errors
    /// `--set` has no key, or the data directory is not UTF-8.
    pub(crate) fn assignments(&self) -> Result<Vec<Assignment>, SettingsError> {
        let mut found = Vec::new();
        if let Some(directory) = &self.data_dir {
            found.push(flag("--data-dir", &DATA_DIR, text_of(directory)?));
        }
        if !self.kafka.is_empty() {
            found.push(flag("--kafka", &KAFKA_LISTENERS, self.kafka.join(",")));
        }
        if let Some(policy) = &self.flush {
            found.push(flag("--flush", &FLUSH_POLICY, policy.clone()));
        }
        for text in &self.set {
            found.push(set(text)?);
        }
        Ok(found)
    }
}

fn flag(flag: &'static str, setting: &Setting, text: String) -> Assignment {
    Assignment {
        name: setting.name.to_owned(),
        text,
        origin: Origin::Flag(flag),
    }
}

fn text_of(directory: &OsString) -> Result<String, SettingsError> {
    let encoding = || SettingsError::Encoding {
        origin: Origin::Flag("--data-dir"),
        text: directory.to_string_lossy().into_owned(),
    };
    directory.to_str().map(str::to_owned).ok_or_else(encoding)
}

fn set(text: &str) -> Result<Assignment, SettingsError> {
    let no_key = || SettingsError::NoKey {
        text: text.to_owned(),
    };
    let (name, value) = text.split_once('=').ok_or_else(no_key)?;
    let name = name.trim();
    if name.is_empty() {
        return Err(no_key());
    }
    Ok(Assignment {
        name: name.to_owned(),
        text: value.trim().to_owned(),
        origin: Origin::Flag("--set"),
    })
}

#[cfg(test)]
mod tests {
    use super::{Command, CommandLine};
    use clap::{CommandFactory, Parser};

    /// The assignments of a command line, as `origin name=text`.
    fn read(arguments: &[&str]) -> String {
        let words = ["pagelog"].iter().chain(arguments);
        let command_line = match CommandLine::try_parse_from(words) {
            Ok(command_line) => command_line,
            Err(error) => return error.to_string(),
        };
        let Command::Serve(serve) = command_line.chosen() else {
            return "not serve".to_owned();
        };
        match serve.assignments() {
            Ok(found) => found
                .iter()
                .map(|one| format!("{} {}={};", one.origin, one.name, one.text))
                .collect(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default() {
        let expected = "--data-dir data.dir=d;--flush flush.policy=interval;";
        assert_eq!(read(&["--data-dir", "d", "--flush", "interval"]), expected);
        assert_eq!(
            read(&["serve", "--data-dir", "d", "--flush", "interval"]),
            expected
        );
        assert_eq!(read(&[]), "");
    }

    #[test]
    fn a_log_is_looked_at_by_commands_of_their_own() {
        for command in ["inspect", "check"] {
            assert_eq!(read(&[command, "d"]), "not serve");
            assert_eq!(read(&[command, "d", "--json"]), "not serve");
            assert!(read(&[command]).contains("DIR"));
        }
        assert_eq!(read(&["repair", "d", "--to", "96"]), "not serve");
        assert!(read(&["repair", "d"]).contains("--to"));
        assert!(read(&["repair", "d", "--to", "-1"]).contains("--to"));
        assert!(read(&["--data-dir", "e", "check", "d"]).contains("cannot be used"));
    }

    #[test]
    fn several_listeners_are_one_list() {
        let read = read(&["--kafka", "127.0.0.1:1", "--kafka", "B=[::1]:2@h"]);
        assert_eq!(read, "--kafka kafka.listeners=127.0.0.1:1,B=[::1]:2@h;");
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        assert_eq!(
            read(&["--set", "kafka.listeners=A=h:1"]),
            "--set kafka.listeners=A=h:1;"
        );
    }

    #[test]
    fn a_set_without_a_key_is_refused() {
        for text in ["x", "=1", " = 1"] {
            let read = read(&["--set", text]);
            assert!(read.contains("allowed is KEY=VALUE"), "{read}");
        }
    }

    #[test]
    fn an_unknown_flag_and_a_repeated_one_are_refused() {
        assert!(read(&["--flsh", "sync"]).contains("--flush"));
        assert!(
            read(&["--flush", "sync", "--flush", "interval"])
                .contains("cannot be used multiple times")
        );
    }
}
