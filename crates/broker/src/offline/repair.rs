//! `pagelog repair`: cuts a log between two entries, for whoever cannot have the rest of it back.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use pagelog_commit_log::{Cut, CutError, Entry, Kind, Loss, Position, Replayer};
use pagelog_segment::Directory;
use pagelog_store::Catalog;

use super::check;
use super::contents::StreamNames;
use super::looking::end_text;
use crate::data;
use crate::exit::Failure;

/// The first type of a control entry that is not the log's own; see docs/format.md.
const STORE_TYPE_MIN: u8 = 16;

/// The flags of `repair`.
#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// The data directory; no process may use it.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Where the log is to end: the begin or the end of an entry.
    #[arg(long, value_name = "POSITION")]
    to: u64,
    /// Makes the cut; without it, it is only said what would be lost.
    #[arg(long)]
    yes: bool,
}

/// What the log's entries say about the cut beside what the log itself knows.
#[derive(Default)]
struct Known {
    catalog: Catalog,
    /// Topics that were made or deleted behind the cut.
    topic_changes: u64,
}

impl Repair {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        // A directory that is not there must not be made for this.
        data::look(&self.directory)?;
        let directory = data::lock(&self.directory)?;
        let mut known = Known::default();
        let to = Position(self.to);
        let cut = Cut::plan(directory.clone(), to, &mut |entry| known.take(entry, to))
            .map_err(|error| self.refused(error))?;
        match cut.loss() {
            Some(loss) => self.describe(out, loss, &known, &cut.directory())?,
            None => writeln!(
                out,
                "the cut at position {to} was begun before and is to be finished"
            )?,
        }
        out.flush()?;
        if !self.yes {
            return Err(Failure::Unconfirmed);
        }
        let kept = self.directory.join(cut.directory());
        cut.make().map_err(|error| self.refused(error))?;
        writeln!(
            out,
            "the log was cut at position {to}; what was cut lies in {}",
            kept.display()
        )?;
        self.verify(out, &directory)?;
        Ok(out.flush()?)
    }

    fn describe(
        &self,
        out: &mut dyn Write,
        loss: &Loss,
        known: &Known,
        directory: &str,
    ) -> io::Result<()> {
        let (to, end) = (self.to, loss.end);
        match &loss.refusal {
            Some(refusal) => writeln!(out, "the log can be read up to position {end}: {refusal}")?,
            None => writeln!(out, "the log is whole and ends at position {end}")?,
        }
        writeln!(
            out,
            "cut at position {to} it keeps {} entries and loses {}, {} of them of data",
            loss.kept,
            loss.entries,
            loss.streams.values().map(|lost| lost.entries).sum::<u64>()
        )?;
        let names = StreamNames::of(&known.catalog);
        for (stream, lost) in &loss.streams {
            writeln!(
                out,
                "  stream {stream} ({}): {} records in {} entries, of the offsets {} to {}",
                names.name(stream.0),
                lost.records,
                lost.entries,
                lost.first,
                lost.next.0 - 1
            )?;
        }
        if known.topic_changes > 0 {
            writeln!(
                out,
                "  {} times a topic was made or deleted there: those made are gone then, those deleted are back",
                known.topic_changes
            )?;
        }
        if loss.unread {
            writeln!(out, "  and what else cannot be read there")?;
        }
        writeln!(
            out,
            "these files go to {}: {}",
            self.directory.join(directory).display(),
            loss.files.join(", ")
        )
    }

    /// The log as the next start will find it.
    fn verify(&self, out: &mut dyn Write, directory: &Directory) -> Result<(), Failure> {
        let read = Replayer::open(directory).and_then(|replayer| check::read(&replayer));
        let recovery = read.map_err(|error| data::refused(&self.directory, &error))?;
        writeln!(
            out,
            "the log is whole, with {} entries; it {}",
            recovery.entries,
            end_text(&recovery, false)
        )?;
        Ok(())
    }

    fn refused(&self, error: CutError) -> Failure {
        let shown = format!("{}: {error}", self.directory.display());
        match error {
            CutError::Open(error) => data::refused(&self.directory, &error),
            CutError::NoBorder { .. }
            | CutError::Outside { .. }
            | CutError::Nothing { .. }
            | CutError::Unfinished { .. } => Failure::Asked(shown),
            CutError::Taken { .. } => Failure::Data(shown),
            CutError::Io { .. } => Failure::Data(format!(
                "{shown}; the same command goes on once that is mended"
            )),
            CutError::Epochs(_) => Failure::Damaged(shown),
        }
    }
}

impl Known {
    /// What a start would refuse is no matter here: it may be what is to be cut.
    fn take(&mut self, entry: &Entry<'_>, to: Position) {
        let of_store = entry
            .control
            .and_then(<[u8]>::first)
            .is_some_and(|kind| *kind >= STORE_TYPE_MIN);
        if entry.header.kind == Kind::Control && entry.header.position >= to.0 && of_store {
            self.topic_changes += 1;
        }
        let _ = self.catalog.take(entry);
    }
}
