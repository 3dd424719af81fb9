//! `pagelog doctor`: what this machine allows, what each way of sending costs on it, and which one is chosen why.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use pagelog_net::Chooser;
use pagelog_os::probe::{FileSystem, Interface, Kernel};
use pagelog_os::{Space, process};
use pagelog_transfer::{Choices, measure, measure_quickly};

use crate::exit::Failure;

/// The file in the data directory that holds the choices.
const FILE_NAME: &str = "transfer.choices";

/// With less room in the file system nothing is measured: a file of 16 MiB is made for it.
const ROOM_MIN: u64 = 1 << 30;

/// The measuring thread's niceness: the most there is.
const GIVING_WAY: i32 = 19;

pub(crate) const EXAMPLES: &str = "\
Examples:
  pagelog doctor /var/lib/pagelog
      Measures for two seconds, with a file of 16 MiB that is gone after; changes nothing.
  pagelog doctor /var/lib/pagelog --save
      Keeps the choices in /var/lib/pagelog/transfer.choices, where the next start finds them.

The file is text, a line for each length of run: the least size, the path for a run alone, the path among many.
Remove it to have the built-in choices back. The setting transfer.path overrides both.";

/// The flags of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The data directory; it has to be there, and may be in use.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// How long to measure, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    time: u64,
    /// Keeps the choices where the next start finds them.
    #[arg(long)]
    save: bool,
}

impl Doctor {
    /// Looks, measures, and writes the report.
    ///
    /// # Errors
    /// The directory cannot be written, or the measurement failed.
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<(), Failure> {
        let directory = &self.directory;
        let unusable = |error| {
            Failure::Data(format!(
                "{}: no file can be made: {error}",
                directory.display()
            ))
        };
        writeln!(out, "{}", Kernel::probe())?;
        writeln!(out, "{}", FileSystem::probe(directory).map_err(unusable)?)?;
        match Interface::all() {
            Ok(interfaces) => {
                for interface in interfaces {
                    writeln!(out, "{interface}")?;
                }
            }
            Err(error) => writeln!(out, "interfaces             unknown: {error}")?,
        }
        let duration = Duration::from_millis(self.time);
        let measurement = measure(directory, duration).map_err(unusable)?;
        writeln!(out, "\n{measurement}")?;
        if self.save {
            let path = directory.join(FILE_NAME);
            fs::write(&path, text_of(&measurement.choices()))
                .with_context(|| format!("cannot write {}", path.display()))?;
            writeln!(out, "saved in {}", path.display())?;
        }
        out.flush()?;
        Ok(())
    }
}

fn text_of(choices: &Choices) -> String {
    format!(
        "# Written by `pagelog doctor --save`: least size of a run, its path alone, its path among many.\n{choices}"
    )
}

/// What sending is to choose by: the setting, else what was saved, else what is built in. Whether a measurement may change it.
pub(crate) fn choices(setting: &str, directory: &Path) -> (Choices, bool) {
    if let Ok(path) = setting.parse() {
        return (Choices::only(path), false);
    }
    match saved(&directory.join(FILE_NAME)) {
        Some(choices) => (choices, false),
        None => (Choices::default(), setting == "measured"),
    }
}

fn saved(path: &Path) -> Option<Choices> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!("cannot read {}, going without: {error}", path.display());
            return None;
        }
    };
    let parsed = text.parse().inspect_err(|error| {
        tracing::warn!(
            "{} is not used: {error}; `pagelog doctor --save` writes it anew",
            path.display()
        );
    });
    parsed.ok()
}

/// Measures in a thread of its own, which gives way to all others, and has the server go by what was found. The end of the process
/// does not wait for it.
pub(crate) fn measure_meanwhile(directory: &Path, chooser: Chooser) {
    let directory = directory.to_owned();
    let thread = thread::Builder::new().name("measuring".to_owned());
    let spawned = thread.spawn(move || {
        if Space::of(&directory).is_ok_and(|space| space.available < ROOM_MIN) {
            tracing::info!("no path is measured: the log is to have what room there is");
            return;
        }
        // Refused, it takes its turn as all others.
        let _ = process::give_way(GIVING_WAY);
        match measure_quickly(&directory) {
            Ok(measurement) => {
                let choices = measurement.choices();
                tracing::info!(
                    "paths by length of run, alone and among many, as measured: {}",
                    on_one_line(&choices)
                );
                chooser.choose(choices);
            }
            Err(error) => tracing::info!("no path is measured, going by what is built in: {error}"),
        }
    });
    if let Err(error) = spawned {
        tracing::warn!("no path is measured, since no thread can be had: {error}");
    }
}

fn on_one_line(choices: &Choices) -> String {
    choices.to_string().trim_end().replace('\n', ", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagelog_transfer::Path as SendPath;

    #[test]
    fn the_setting_comes_before_the_file_and_the_file_before_what_is_built_in() {
        let directory = tempfile::tempdir().unwrap();
        let of = |setting| choices(setting, directory.path());
        assert_eq!(of("auto"), (Choices::default(), false));
        assert_eq!(of("measured"), (Choices::default(), true));
        let saved = Choices::measured([SendPath::Splice; 16], [SendPath::Reference; 16]);
        fs::write(directory.path().join(FILE_NAME), text_of(&saved)).unwrap();
        assert_eq!(of("auto"), (saved, false));
        assert_eq!(of("measured"), (saved, false));
        let forced = Choices::only(SendPath::Gather);
        assert_eq!(of("mmap+writev"), (forced, false));
        fs::write(directory.path().join(FILE_NAME), "256 fast").unwrap();
        assert_eq!(of("measured"), (Choices::default(), true));
    }

    #[test]
    fn what_doctor_saves_the_next_start_uses() {
        let directory = tempfile::tempdir().unwrap();
        let doctor = Doctor {
            directory: directory.path().to_owned(),
            time: 1,
            save: true,
        };
        let mut report = Vec::new();
        doctor.run(&mut report).unwrap();
        let report = String::from_utf8(report).unwrap();
        assert!(
            report.contains("mmap+writev")
                && report.contains("saved in")
                && report.contains("interface"),
            "{report}"
        );
        let (used, _) = choices("auto", directory.path());
        assert_eq!(used.why(), pagelog_transfer::Why::Measured);
    }
}
