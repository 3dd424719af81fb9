//! Builds an index again from the entries of its segment, in no more memory than an active one takes.

use std::sync::Arc;

use pagelog_record::{HEADER_SIZE, Kind, Seed};
use pagelog_segment::{Position, Storage};

use super::writer::{Target, publish, remove, write};
use super::{IndexError, IndexFile, Keyed, Merge, Sorted};
use crate::scan::{Scanner, Source};

/// Writes the index `name` of the entries that the target asks for, all of which are whole and durable.
///
/// Holds `memory_max` bytes of items at a time; what is above goes to files between, which are gone in the end.
pub(crate) fn build(
    storage: &Arc<dyn Storage>,
    seed: Seed,
    target: &Target<'_>,
    name: &str,
    memory_max: usize,
) -> Result<IndexFile, IndexError> {
    let mut parts = Vec::new();
    let built = parts_of(storage, seed, target, name, memory_max, &mut parts).and_then(|()| {
        let merged = || Box::new(Merge::new(parts.iter().map(sorted).collect())) as Sorted;
        let new = format!("{name}.new");
        write(&**storage, &new, target, &merged, &mut || {})?;
        publish(&**storage, &new, name)?;
        IndexFile::open(&**storage, name.to_owned(), &target.log_id)
    });
    for part in &parts {
        remove(&**storage, part.name())?;
    }
    built
}

/// The items of a file.
pub(crate) fn sorted(file: &Arc<IndexFile>) -> Sorted {
    Box::new(file.keyed())
}

fn parts_of(
    storage: &Arc<dyn Storage>,
    seed: Seed,
    target: &Target<'_>,
    name: &str,
    memory_max: usize,
    parts: &mut Vec<Arc<IndexFile>>,
) -> Result<(), IndexError> {
    let count_max = (memory_max / size_of::<Keyed>()).max(1);
    let mut items: Vec<Keyed> = Vec::new();
    let mut put = |items: &mut Vec<Keyed>| {
        items.sort_unstable_by_key(Keyed::order);
        let part = format!("{name}.part-{}.new", parts.len());
        let taken: Arc<[Keyed]> = std::mem::take(items).into();
        let sorted = || {
            let taken = Arc::clone(&taken);
            Box::new((0..taken.len()).map(move |number| Ok(taken[number]))) as Sorted
        };
        write(&**storage, &part, target, &sorted, &mut || {})?;
        let part = IndexFile::open(&**storage, part, &target.log_id)?;
        parts.push(Arc::new(part));
        Ok::<(), IndexError>(())
    };
    entries(seed, target, &mut |keyed| {
        items.push(keyed);
        match items.len() < count_max {
            true => Ok(()),
            false => put(&mut items),
        }
    })?;
    match items.is_empty() {
        true => Ok(()),
        false => put(&mut items),
    }
}

/// Gives the data entries that the target asks for to `each`, in the log's order.
fn entries(
    seed: Seed,
    target: &Target<'_>,
    each: &mut dyn FnMut(Keyed) -> Result<(), IndexError>,
) -> Result<(), IndexError> {
    let segment = target.segment;
    let source = Source::new(segment)?;
    let mut scanner = Scanner::new(&source, seed, &|_| {});
    let mut position = target.from;
    while position < target.to && segment.end() - position >= HEADER_SIZE as u64 {
        let entry = scanner.entry(position - segment.base())?;
        let header = entry.map_err(|_| IndexError::Stale(position))?;
        if header.kind == Kind::Data {
            each(Keyed::of(&header))?;
        }
        position = Position(header.position + header.entry_size());
    }
    Ok(())
}
