//! The names of segment files.
//!
//! ```text
//! 00000000001073741824.log       a segment: complete, its base position in 20 digits
//! 00000000001073741824.log.new   one that is being made; left over, it is removed at the next open
//! 00000000001073741824.log.old   one that has left the run; left over, it is deleted after the next open
//! ```

use crate::Position;

const DIGITS: usize = 20;
const SUFFIX: &str = ".log";
const NEW_SUFFIX: &str = ".log.new";
const OLD_SUFFIX: &str = ".log.old";

/// The name of the segment file that begins at `base`.
///
/// ```
/// use pagelog_segment::{Position, base_of, file_name};
///
/// assert_eq!(file_name(Position(4_096)), "00000000000000004096.log");
/// assert_eq!(base_of("00000000000000004096.log"), Some(Position(4_096)));
/// assert_eq!(base_of("4096.log"), None);
/// ```
#[must_use]
pub fn file_name(base: Position) -> String {
    format!("{:0DIGITS$}{SUFFIX}", base.0)
}

/// The base position that a segment file's name tells; `None` for any other name.
#[must_use]
pub fn base_of(name: &str) -> Option<Position> {
    let digits = name.strip_suffix(SUFFIX)?;
    let canonical = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    canonical
        .then(|| digits.parse().ok().map(Position))
        .flatten()
}

/// The name of the file that will become the segment at `base`. Left over, it is removed when the
/// segments are opened.
#[must_use]
pub fn new_file_name(base: Position) -> String {
    format!("{:0DIGITS$}{NEW_SUFFIX}", base.0)
}

/// Whether `name` is one of [`new_file_name`]'s.
pub(crate) fn is_new_file(name: &str) -> bool {
    name.strip_suffix(".new")
        .is_some_and(|name| base_of(name).is_some())
}

/// The name of the file that was the segment at `base` and has left the run. It is none of the log's any more: it is
/// deleted, now or after the next open.
#[must_use]
pub fn old_file_name(base: Position) -> String {
    format!("{:0DIGITS$}{OLD_SUFFIX}", base.0)
}

/// Whether `name` is one of [`old_file_name`]'s.
pub(crate) fn is_old_file(name: &str) -> bool {
    name.strip_suffix(".old")
        .is_some_and(|name| base_of(name).is_some())
}
