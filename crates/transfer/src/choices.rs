//! Which path a run takes: a table by its length, and by whether it comes alone or among many.

use std::fmt;
use std::str::FromStr;

use crate::path::{Path, UnknownPath};
use crate::paths::SEND_FILE_SIZE_MIN;

/// The classes of length: from 256 B on, doubling, to 8 MiB and more.
pub const CLASS_COUNT: usize = 16;

/// The exponent of the first class.
const CLASS_FIRST: u32 = 8;

/// From so many pieces on, runs are *many*: what is gathered into one call saves calls. A header, one run and what ends an answer are
/// fewer.
pub(crate) const MANY_COUNT_MIN: usize = 4;

/// The shortest run that goes by `sendfile` when it comes alone: gathered, it is one call instead of two, but at 16 KiB a peer on this
/// machine gets it at 0.5 to 0.9 of the speed (`cargo xtask bench transfer`, `1 × 16 KiB, receiver copies`).
const SEND_FILE_SIZE_MIN_ALONE: u64 = 16 * 1024;

/// Why a path was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Why {
    /// Somebody said so: [`Paths::only`](crate::Paths::only).
    Forced,
    /// It was the best in a measurement on this machine.
    Measured,
    /// By the length of the run, as measured on another machine: what there is before a measurement.
    #[default]
    Default,
    /// The one above it on the ladder was refused.
    TakenOver,
}

/// The path for each length of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choices {
    alone: [Path; CLASS_COUNT],
    many: [Path; CLASS_COUNT],
    why: Why,
}

/// A text that is no table of choices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoicesError {
    /// A line is not `SIZE PATH PATH`.
    #[error("line {0} is not `SIZE PATH PATH`")]
    Line(usize),
    /// A size is none of the classes', or comes twice, or is missing.
    #[error("the sizes are not each of 256, 512, … 8388608, once")]
    Sizes,
    /// A word is no path.
    #[error(transparent)]
    Path(#[from] UnknownPath),
}

impl Default for Choices {
    /// Runs of [`SEND_FILE_SIZE_MIN`] and more by `sendfile`, from 16 KiB on when they come alone; shorter ones gathered.
    fn default() -> Choices {
        let from = |least| {
            std::array::from_fn(|class| match size_of(class) >= least {
                true => Path::SendFile,
                false => Path::Gather,
            })
        };
        Choices {
            alone: from(SEND_FILE_SIZE_MIN_ALONE),
            many: from(SEND_FILE_SIZE_MIN),
            why: Why::Default,
        }
    }
}

impl Choices {
    /// One path for all.
    pub fn only(path: Path) -> Choices {
        Choices {
            alone: [path; CLASS_COUNT],
            many: [path; CLASS_COUNT],
            why: Why::Forced,
        }
    }

    /// What a measurement says: the best path of each class, for runs that come alone and for those among many.
    pub fn measured(alone: [Path; CLASS_COUNT], many: [Path; CLASS_COUNT]) -> Choices {
        Choices {
            alone,
            many,
            why: Why::Measured,
        }
    }

    /// The path for a run of `size` bytes.
    pub fn of(&self, size: u64, many: bool) -> Path {
        let class = class_of(size);
        if many {
            self.many[class]
        } else {
            self.alone[class]
        }
    }

    /// Where the choices come from.
    pub fn why(&self) -> Why {
        self.why
    }
}

/// The class of a run of `size` bytes.
pub fn class_of(size: u64) -> usize {
    let exponent = size.max(1).ilog2();
    (exponent.saturating_sub(CLASS_FIRST) as usize).min(CLASS_COUNT - 1)
}

/// The shortest run of a class, in bytes; the first class has shorter ones as well.
pub fn size_of(class: usize) -> u64 {
    1 << (CLASS_FIRST + class as u32)
}

impl fmt::Display for Choices {
    /// A line for each class: its least size, the path of runs alone, the path of runs among many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (class, (alone, many)) in self.alone.iter().zip(&self.many).enumerate() {
            writeln!(f, "{} {alone} {many}", size_of(class))?;
        }
        Ok(())
    }
}

impl FromStr for Choices {
    type Err = ChoicesError;

    /// Reads what `Display` writes, as [`Why::Measured`]; empty lines and those that begin with `#` are passed over.
    fn from_str(text: &str) -> Result<Choices, ChoicesError> {
        let mut found = [None; CLASS_COUNT];
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [size, alone, many] = words[..] else {
                return Err(ChoicesError::Line(number));
            };
            let size: u64 = size.parse().map_err(|_| ChoicesError::Line(number))?;
            let class = class_of(size);
            if size_of(class) != size || found[class].is_some() {
                return Err(ChoicesError::Sizes);
            }
            found[class] = Some((alone.parse()?, many.parse()?));
        }
        if found.contains(&None) {
            return Err(ChoicesError::Sizes);
        }
        let found = found.map(|pair| pair.unwrap_or((Path::Gather, Path::Gather)));
        Ok(Choices::measured(
            found.map(|(alone, _)| alone),
            found.map(|(_, many)| many),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_double_and_the_ends_take_all_that_is_beyond() {
        let classes = [0, 1, 255, 256, 511, 512, 32_767, 32_768, 8 << 20, u64::MAX].map(class_of);
        assert_eq!(classes, [0, 0, 0, 0, 0, 1, 6, 7, 15, 15]);
        assert!((0..CLASS_COUNT).all(|class| class_of(size_of(class)) == class));
    }

    #[test]
    fn the_default_gathers_short_runs() {
        let choices = Choices::default();
        assert_eq!(choices.of(SEND_FILE_SIZE_MIN - 1, true), Path::Gather);
        assert_eq!(choices.of(SEND_FILE_SIZE_MIN, true), Path::SendFile);
        let alone = SEND_FILE_SIZE_MIN_ALONE;
        assert_eq!(choices.of(alone - 1, false), Path::Gather);
        assert_eq!(choices.of(alone, false), Path::SendFile);
    }

    #[test]
    fn what_was_written_is_read() {
        let mut alone = [Path::Splice; CLASS_COUNT];
        alone[3] = Path::UringZeroCopy;
        let choices = Choices::measured(alone, [Path::SendFile; CLASS_COUNT]);
        let text = format!("# by hand\n\n{choices}");
        assert_eq!(text.parse(), Ok(choices));

        let error = |text: &str| text.parse::<Choices>().unwrap_err();
        assert_eq!(error(""), ChoicesError::Sizes);
        assert_eq!(error("256 sendfile"), ChoicesError::Line(1));
        assert_eq!(error("\nx splice splice"), ChoicesError::Line(2));
        assert_eq!(error("300 splice splice"), ChoicesError::Sizes);
        assert_eq!(
            error(&format!("{choices}256 splice splice")),
            ChoicesError::Sizes
        );
        let unknown = UnknownPath("fast".to_owned());
        assert_eq!(error("256 fast splice"), ChoicesError::Path(unknown));
    }
}
