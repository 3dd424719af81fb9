//! `pagelog inspect`: what a log holds, as far as it can be read.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use pagelog_commit_log::{CheckpointReport, IndexReport, OpenError, Position, Recovery};
use serde::Serialize;

use super::contents::{Contents, Entries, SegmentContents, StreamContents, TopicContents};
use super::looking::{Looking, end_text, id_text};
use super::{dump, listing, table};
use crate::exit::Failure;

/// The flags of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The data directory, or a copy of one.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
    /// Lists every entry.
    #[arg(long, conflicts_with = "entry")]
    entries: bool,
    /// Shows the entry at this position field by field.
    #[arg(long, value_name = "POSITION")]
    entry: Option<u64>,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Report {
    directory: String,
    in_use_by: Option<u32>,
    log_id: String,
    end: Option<u64>,
    epoch: Option<u32>,
    proven_durable: Option<u64>,
    closed_cleanly: Option<bool>,
    torn_tail: Option<String>,
    /// Why nothing behind the last entry counted could be read.
    error: Option<String>,
    entries: Entries,
    segments: Vec<SegmentContents>,
    indexes: Vec<IndexContents>,
    checkpoints: Vec<CheckpointContents>,
    topics: Vec<TopicContents>,
    streams: Vec<StreamContents>,
}

/// A file that tells where the entries of a segment lie.
#[derive(Serialize)]
struct IndexContents {
    file: String,
    begin: u64,
    end: Option<u64>,
    entries: Option<u32>,
    size: Option<u64>,
    wrong: Option<String>,
}

impl From<IndexReport> for IndexContents {
    fn from(report: IndexReport) -> IndexContents {
        let holds = report.holds;
        IndexContents {
            file: report.file,
            begin: report.base.0,
            end: holds.map(|(end, _, _)| end.0),
            entries: holds.map(|(_, entries, _)| entries),
            size: holds.map(|(_, _, size)| size),
            wrong: report.wrong.map(|wrong| wrong.to_string()),
        }
    }
}

/// A file that tells what the entries below a position amount to.
#[derive(Serialize)]
struct CheckpointContents {
    file: String,
    position: u64,
    durable: Option<u64>,
    streams: Option<usize>,
    store_bytes: Option<usize>,
    wrong: Option<String>,
}

impl From<CheckpointReport> for CheckpointContents {
    fn from(report: CheckpointReport) -> CheckpointContents {
        let holds = report.holds;
        CheckpointContents {
            file: report.file,
            position: report.position.0,
            durable: holds.map(|holds| holds.durable.0),
            streams: holds.map(|holds| holds.streams),
            store_bytes: holds.map(|holds| holds.told_size),
            wrong: report.wrong.map(|wrong| wrong.to_string()),
        }
    }
}

impl Inspect {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let looking = Looking::at(&self.directory)?;
        match self.entry {
            Some(position) => dump::show(out, &looking, Position(position), self.json)?,
            None if self.entries => listing::list(out, &looking, self.json)?,
            None => self.summary(out, &looking)?,
        }
        Ok(out.flush()?)
    }

    /// A damaged log is shown up to the damage, with a word about it.
    fn summary(&self, out: &mut dyn Write, looking: &Looking) -> Result<(), Failure> {
        let replayer = looking.replayer()?;
        let mut contents = Contents::of(replayer.segments());
        let found = replayer.replay(&mut |entry| contents.take(entry));
        let id = id_text(replayer.id());
        let indexes = replayer.check_indexes(&looking.directory, false)?;
        let indexes: Vec<_> = indexes.into_iter().map(IndexContents::from).collect();
        let checkpoints = replayer.check_checkpoints(&looking.directory)?.into_iter();
        let checkpoints: Vec<_> = checkpoints.map(CheckpointContents::from).collect();
        if self.json {
            let report = Report {
                indexes,
                checkpoints,
                ..report(looking, id, contents, found)
            };
            let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?;
            writeln!(out, "{text}")?;
        } else {
            write_text(out, looking, &id, &contents, &found)?;
            write_indexes(out, &indexes)?;
            write_checkpoints(out, &checkpoints)?;
        }
        Ok(())
    }
}

fn report(
    looking: &Looking,
    log_id: String,
    contents: Contents,
    found: Result<Recovery, OpenError>,
) -> Report {
    let error = found.as_ref().err();
    let error = error.map(|error| looking.refused(error).to_string());
    let found = found.ok();
    let found = found.as_ref();
    Report {
        directory: looking.path.display().to_string(),
        in_use_by: looking.in_use_by,
        log_id,
        end: found.map(|found| found.end.0),
        epoch: found.map(|found| found.epoch.0),
        proven_durable: found.map(|found| found.proven_durable.0),
        closed_cleanly: found.map(|found| found.clean),
        torn_tail: found.and_then(|found| found.cut.map(|torn| torn.to_string())),
        error,
        entries: contents.entries,
        topics: contents.topics(),
        streams: contents.streams(),
        segments: contents.segments,
        indexes: Vec::new(),
        checkpoints: Vec::new(),
    }
}

fn write_text(
    out: &mut dyn Write,
    looking: &Looking,
    id: &str,
    contents: &Contents,
    found: &Result<Recovery, OpenError>,
) -> io::Result<()> {
    let path = looking.path.display();
    match looking.in_use() {
        Some(in_use) => writeln!(out, "directory  {path}, {in_use}")?,
        None => writeln!(out, "directory  {path}")?,
    }
    writeln!(out, "log id     {id}")?;
    match found {
        Ok(found) => {
            writeln!(
                out,
                "log        {}",
                end_text(found, looking.in_use_by.is_some())
            )?;
            writeln!(out, "epoch      {}", found.epoch)?;
            writeln!(
                out,
                "proven durable up to position {}",
                found.proven_durable
            )?;
        }
        Err(error) => writeln!(out, "log        refused: {}", looking.refused(error))?,
    }
    let Entries {
        all,
        data,
        control,
        filler,
    } = contents.entries;
    writeln!(
        out,
        "entries    {all}: {data} of data, {control} of control, {filler} fillers"
    )?;
    segments(out, &contents.segments)?;
    topics(out, &contents.topics())?;
    streams(out, &contents.streams())
}

fn segments(out: &mut dyn Write, segments: &[SegmentContents]) -> io::Result<()> {
    let row = |segment: &SegmentContents| {
        let epochs = match (segment.first_epoch, segment.last_epoch) {
            (Some(first), Some(last)) if first == last => first.to_string(),
            (Some(first), Some(last)) => format!("{first}-{last}"),
            _ => "-".to_owned(),
        };
        [
            segment.file.clone(),
            segment.begin.to_string(),
            segment.end.to_string(),
            segment.entries.to_string(),
            epochs,
        ]
    };
    let rows: Vec<_> = segments.iter().map(row).collect();
    writeln!(out, "\nsegments")?;
    table::write(out, ["file", "begin", "end", "entries", "epochs"], &rows)
}

fn write_indexes(out: &mut dyn Write, indexes: &[IndexContents]) -> io::Result<()> {
    let text = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let row = |index: &IndexContents| {
        [
            index.file.clone(),
            index.begin.to_string(),
            text(index.end),
            text(index.entries.map(u64::from)),
            text(index.size),
            index.wrong.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = indexes.iter().map(row).collect();
    writeln!(out, "\nindexes")?;
    let header = ["file", "begin", "end", "entries", "bytes", "wrong"];
    table::write(out, header, &rows)
}

fn write_checkpoints(out: &mut dyn Write, checkpoints: &[CheckpointContents]) -> io::Result<()> {
    let size = |number: Option<usize>| number.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let row = |checkpoint: &CheckpointContents| {
        let durable = checkpoint.durable;
        [
            checkpoint.file.clone(),
            checkpoint.position.to_string(),
            durable.map_or_else(|| "-".to_owned(), |it| it.to_string()),
            size(checkpoint.streams),
            size(checkpoint.store_bytes),
            checkpoint.wrong.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = checkpoints.iter().map(row).collect();
    writeln!(out, "\ncheckpoints")?;
    let header = [
        "file",
        "position",
        "durable",
        "streams",
        "store's bytes",
        "wrong",
    ];
    table::write(out, header, &rows)
}

fn topics(out: &mut dyn Write, topics: &[TopicContents]) -> io::Result<()> {
    let row = |topic: &TopicContents| {
        [
            topic.name.clone(),
            topic.id.clone(),
            topic.partitions.to_string(),
            topic.first_stream.to_string(),
        ]
    };
    let rows: Vec<_> = topics.iter().map(row).collect();
    writeln!(out, "\ntopics")?;
    table::write(out, ["name", "id", "partitions", "first stream"], &rows)
}

fn streams(out: &mut dyn Write, streams: &[StreamContents]) -> io::Result<()> {
    let row = |stream: &StreamContents| {
        let name = match (&stream.topic, stream.partition) {
            (Some(topic), Some(partition)) => format!("{topic}-{partition}"),
            _ => "-".to_owned(),
        };
        [
            name,
            stream.stream.to_string(),
            stream.first_offset.to_string(),
            stream.next_offset.to_string(),
            stream.entries.to_string(),
            stream.moved_entries.to_string(),
            stream.records.to_string(),
            stream.payload_bytes.to_string(),
        ]
    };
    let rows: Vec<_> = streams.iter().map(row).collect();
    let header = [
        "topic-partition",
        "stream",
        "first offset",
        "next offset",
        "entries",
        "moved",
        "records",
        "bytes",
    ];
    writeln!(out, "\nstreams")?;
    table::write(out, header, &rows)
}
