//! `pagelog doctor`: what this machine allows, what each way of sending costs on it, and which one is chosen why.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use pagelog_os::probe::{FileSystem, Kernel};
use pagelog_transfer::{Choices, Path as SendPath, measure};

use crate::exit::Failure;

/// The file in the data directory that holds the choices.
const FILE_NAME: &str = "transfer.choices";

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

/// What sending is to choose by: the setting, else what was saved, else what is built in.
pub(crate) fn choices(forced: Option<SendPath>, directory: &Path) -> Choices {
    if let Some(path) = forced {
        return Choices::only(path);
    }
    let path = directory.join(FILE_NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Choices::default(),
        Err(error) => {
            tracing::warn!("cannot read {}, going without: {error}", path.display());
            return Choices::default();
        }
    };
    text.parse().unwrap_or_else(|error| {
        tracing::warn!(
            "{} is not used: {error}; `pagelog doctor --save` writes it anew",
            path.display()
        );
        Choices::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_comes_before_the_file_and_the_file_before_what_is_built_in() {
        let directory = tempfile::tempdir().unwrap();
        let of = |forced| choices(forced, directory.path());
        assert_eq!(of(None), Choices::default());
        let saved = Choices::measured([SendPath::Splice; 16], [SendPath::Reference; 16]);
        fs::write(directory.path().join(FILE_NAME), text_of(&saved)).unwrap();
        assert_eq!(of(None), saved);
        assert_eq!(of(Some(SendPath::Gather)), Choices::only(SendPath::Gather));
        fs::write(directory.path().join(FILE_NAME), "256 fast").unwrap();
        assert_eq!(of(None), Choices::default());
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
            report.contains("mmap+writev") && report.contains("saved in"),
            "{report}"
        );
        let used = choices(None, directory.path());
        assert_eq!(used.why(), pagelog_transfer::Why::Measured);
    }
}
