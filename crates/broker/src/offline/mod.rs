//! The commands for a log that they do not serve: they look, check and, when told to, cut.

mod check;
mod contents;
mod dump;
mod inspect;
mod listing;
mod looking;
mod progress;
mod repair;
mod table;

use clap::Subcommand;

use crate::doctor;
use crate::exit::Failure;

const INSPECT_EXAMPLES: &str = "\
Examples:
  pagelog inspect /var/lib/pagelog
      Where the log ends, its segments, topics and streams.
  pagelog inspect /var/lib/pagelog --json
      The same for a program.
  pagelog inspect /var/lib/pagelog --entries
      One line for each entry; with --json one object for each line.
  pagelog inspect /var/lib/pagelog --entry 4096
      One entry field by field, with the bytes of its header and the first ones of its payload.

The directory may be in use or a copy of one: nothing is locked, written or made.";

const CHECK_EXAMPLES: &str = "\
Examples:
  pagelog check /var/lib/pagelog
      Reads every entry, as a start would, and says whether the log is whole.
  pagelog check /backup/pagelog --json
      The same for a program.

Exit codes: 0 the log is whole, 4 it cannot be read, or there is none, 5 it is damaged or its files were changed.
The directory may be in use or a copy of one: nothing is locked, written or made.";

const REPAIR_EXAMPLES: &str = "\
Examples:
  pagelog repair /var/lib/pagelog --to 4096
      Says what would be lost if the log ended at position 4096; changes nothing, and ends with code 8.
  pagelog repair /var/lib/pagelog --to 4096 --yes
      Cuts the log there. What is cut is kept in /var/lib/pagelog/cut-4096.

Where a damaged log can be cut at the latest is said by `pagelog check`; other places by `pagelog inspect --entries`.
A cut that was interrupted is finished by the same command; until then the broker does not start.";

/// A command that does not serve.
#[derive(Debug, Subcommand)]
pub(crate) enum Offline {
    /// Shows what a log holds; changes nothing.
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(inspect::Inspect),
    /// Says whether a log is whole; changes nothing.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(check::Check),
    /// Cuts a log between two entries, and keeps what it cuts.
    #[command(after_help = REPAIR_EXAMPLES)]
    Repair(repair::Repair),
    /// Says what this machine allows and what each way of sending costs on it.
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::Doctor),
}

impl Offline {
    /// Does it, and writes to standard output what it found.
    ///
    /// # Errors
    /// What was found is not good, or could not be found.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let out = &mut std::io::BufWriter::new(std::io::stdout().lock());
        match self {
            Offline::Inspect(inspect) => inspect.run(out),
            Offline::Check(check) => check.run(out),
            Offline::Repair(repair) => repair.run(out),
            Offline::Doctor(doctor) => doctor.run(out),
        }
    }
}
