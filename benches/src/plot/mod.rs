//! Plots of figures, as SVG files beside the lines they were made of: curves over named places, and maps of coloured cells.

mod heat;
mod lines;
mod svg;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

pub(crate) use heat::{Cell, HeatMap};
pub(crate) use lines::{LinePlot, Point, Scale, Series};

/// A drawing and the name of its file, without the ending.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) name: &'static str,
    pub(crate) svg: String,
}

impl Plot {
    /// Writes `NAME.svg` into `directory`, in the place of an older one.
    ///
    /// # Errors
    /// Where the directory or the file cannot be written.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
        let path = directory.join(format!("{}.svg", self.name));
        fs::write(&path, &self.svg).with_context(|| format!("write {}", path.display()))
    }
}
