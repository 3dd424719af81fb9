//! Giving pages back that are not needed again.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use pagelog_os::cache::{self, CountError};
use pagelog_os::file::{self, FileAdvice};

/// How long the kernel is given between two tries of [`let_go_all`].
const PAUSE: Duration = Duration::from_millis(1);

/// Whether all pages of a range could be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetGo {
    /// None is in memory.
    Gone,
    /// So many are: somebody has them mapped, a socket still sends them, they are dirty or being read.
    Left(u64),
}

/// `POSIX_FADV_DONTNEED`: lets go of the whole, clean, unmapped pages of `range`. Dirty ones are handed to the disk
/// and stay: sync before. Pages that others use stay too, which is what they want. So does a large folio (up to
/// 2 MiB) that reaches over an edge of the range: it goes as a whole or not at all.
///
/// # Errors
///
/// What the call gives. man 2 posix_fadvise.
pub fn let_go(file: &File, range: Range<u64>) -> io::Result<()> {
    file::advise(file, range, FileAdvice::DontNeed)
}

/// As [`let_go`], after a sync, up to `tries` times, until the kernel counts no page of `range`; for a file whose
/// bytes are to be changed though a socket may still send them: only a page that is gone is nobody's.
///
/// `range` is best the whole file: a page that it covers in part is counted and never let go.
///
/// # Errors
///
/// [`CountError`]: where the kernel does not count, it cannot be known; then treat pages as left.
pub fn let_go_all(file: &File, range: Range<u64>, tries: usize) -> Result<LetGo, CountError> {
    let mut left = cache::count_pages(file, range.clone())?.resident;
    for attempt in 0..tries {
        if left == 0 {
            break;
        }
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        file::sync_data(file).map_err(CountError::Io)?;
        let_go(file, range.clone()).map_err(CountError::Io)?;
        left = cache::count_pages(file, range.clone())?.resident;
    }
    Ok(match left {
        0 => LetGo::Gone,
        pages => LetGo::Left(pages),
    })
}
