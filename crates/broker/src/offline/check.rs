//! `pagelog check`: whether a start would take the log, by reading it as a start does.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use pagelog_commit_log::{OpenError, Recovery, Replayer};
use pagelog_segment::file_name;
use pagelog_store::Catalog;
use serde::Serialize;

use super::looking::{Looking, end_text, id_text};
use super::progress;
use crate::exit::Failure;

/// The flags of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The data directory, or a copy of one.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Writes one JSON object, and nothing else anywhere.
    #[arg(long)]
    json: bool,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Report {
    directory: String,
    in_use_by: Option<u32>,
    log_id: Option<String>,
    /// `whole`, `damaged` or `unreadable`.
    verdict: &'static str,
    exit_code: u8,
    /// Of a whole log.
    log: Option<Log>,
    /// Of any other.
    error: Option<String>,
    /// Where a log is damaged that was durable there.
    damage: Option<Damage>,
}

#[derive(Serialize)]
struct Log {
    segments: usize,
    entries: u64,
    end: u64,
    epoch: u32,
    proven_durable: u64,
    closed_cleanly: bool,
    torn_tail: Option<String>,
    /// What is wrong with files that tell where entries lie; a start makes again what is not there.
    indexes_wrong: Vec<String>,
    /// Checkpoints that cannot be used.
    checkpoints_wrong: Vec<String>,
}

#[derive(Serialize)]
struct Damage {
    position: u64,
    file: String,
    at: u64,
    reason: String,
    /// Where the entry lies that proves it …
    proof: Option<u64>,
    /// … or the name of the file that does.
    proof_file: Option<String>,
    durable: u64,
}

/// Files that the log does not need, and what is wrong with them.
#[derive(Default)]
struct Wrong {
    indexes: Vec<String>,
    checkpoints: Vec<String>,
}

impl Check {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let looking = Looking::at(&self.directory)?;
        let found = Replayer::open(&looking.directory);
        let id = found.as_ref().ok().map(|replayer| id_text(replayer.id()));
        if self.json {
            let wrong = match &found {
                Ok(found) => Wrong {
                    indexes: indexes_wrong(&looking, found)?,
                    checkpoints: checkpoints_wrong(&looking, found)?,
                },
                Err(_) => Wrong::default(),
            };
            let read = found.and_then(|replayer| read(&replayer));
            return report(out, &looking, id, read, wrong);
        }
        if let Some(in_use) = looking.in_use() {
            eprintln!("{}: {in_use}", looking.path.display());
        }
        let read = found.and_then(|replayer| {
            let (replayer, _shown) = progress::shown(replayer);
            Ok((read(&replayer)?, replayer))
        });
        let (recovery, replayer) = read.map_err(|error| looking.refused(&error))?;
        let wrong = indexes_wrong(&looking, &replayer)?;
        for wrong in wrong
            .into_iter()
            .chain(checkpoints_wrong(&looking, &replayer)?)
        {
            writeln!(out, "{}: {wrong}", looking.path.display())?;
        }
        writeln!(
            out,
            "{}: the log is whole, with {} entries; it {}",
            looking.path.display(),
            recovery.entries,
            end_text(&recovery, looking.in_use_by.is_some())
        )?;
        Ok(out.flush()?)
    }
}

/// What is wrong with the files that tell where entries lie. Nothing is lost by it.
fn indexes_wrong(looking: &Looking, replayer: &Replayer) -> Result<Vec<String>, Failure> {
    let reports = replayer.check_indexes(&looking.directory, true)?;
    let wrong = reports.into_iter().filter_map(|report| {
        let error = report.wrong?;
        Some(format!(
            "{} is of no use; remove it while no broker has the directory, and the next start makes it again: {error}",
            report.file
        ))
    });
    Ok(wrong.collect())
}

/// What is wrong with checkpoints. Nothing is lost by it either.
fn checkpoints_wrong(looking: &Looking, replayer: &Replayer) -> Result<Vec<String>, Failure> {
    let reports = replayer.check_checkpoints(&looking.directory)?;
    let wrong = reports.into_iter().filter_map(|report| {
        let error = report.wrong?;
        Some(format!(
            "{} is of no use, the next start reads more: {error}",
            report.file
        ))
    });
    Ok(wrong.collect())
}

/// Reads the log as a start without checkpoints does, the store's entries included.
pub(super) fn read(replayer: &Replayer) -> Result<Recovery, OpenError> {
    let mut catalog = Catalog::default();
    replayer.replay(&mut |entry| Ok(catalog.take(entry)?))
}

fn report(
    out: &mut dyn Write,
    looking: &Looking,
    log_id: Option<String>,
    read: Result<Recovery, OpenError>,
    wrong: Wrong,
) -> Result<(), Failure> {
    let failure = read.as_ref().err().map(|error| looking.refused(error));
    let exit_code = failure.as_ref().map_or(0, Failure::code);
    let report = Report {
        directory: looking.path.display().to_string(),
        in_use_by: looking.in_use_by,
        log_id,
        verdict: match exit_code {
            0 => "whole",
            5 => "damaged",
            _ => "unreadable",
        },
        exit_code,
        damage: read.as_ref().err().and_then(Damage::of),
        log: read.ok().map(|recovery| Log::of(recovery, wrong)),
        error: failure.map(|failure| failure.to_string()),
    };
    let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?;
    writeln!(out, "{text}")?;
    out.flush()?;
    match exit_code {
        0 => Ok(()),
        code => Err(Failure::Reported(code)),
    }
}

impl Log {
    fn of(recovery: Recovery, wrong: Wrong) -> Log {
        Log {
            segments: recovery.segments,
            entries: recovery.entries,
            end: recovery.end.0,
            epoch: recovery.epoch.0,
            proven_durable: recovery.proven_durable.0,
            closed_cleanly: recovery.clean,
            torn_tail: recovery.cut.map(|torn| torn.to_string()),
            indexes_wrong: wrong.indexes,
            checkpoints_wrong: wrong.checkpoints,
        }
    }
}

impl Damage {
    fn of(error: &OpenError) -> Option<Damage> {
        Some(match error {
            OpenError::Damaged {
                position,
                file,
                at,
                reason,
                proof,
                durable,
            } => Damage {
                position: position.0,
                file: file.clone(),
                at: *at,
                reason: reason.to_string(),
                proof: Some(proof.0),
                proof_file: None,
                durable: durable.0,
            },
            OpenError::Lost {
                position,
                file,
                at,
                reason,
                proof,
                durable,
            } => Damage {
                position: position.0,
                file: file.clone(),
                at: *at,
                reason: reason.to_string(),
                proof: None,
                proof_file: Some(proof.clone()),
                durable: durable.0,
            },
            OpenError::Ended {
                end,
                proof,
                durable,
            } => Damage {
                position: end.0,
                file: file_name(*end),
                at: 0,
                reason: "the file is missing".to_owned(),
                proof: None,
                proof_file: Some(proof.clone()),
                durable: durable.0,
            },
            _ => return None,
        })
    }
}
