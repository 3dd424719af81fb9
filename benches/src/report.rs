//! What a bench gives back: its figures, and the plots that were drawn of them.

use std::path::Path;

use anyhow::Result;

use crate::figure::{self, Figure};
use crate::host::Host;
use crate::plot::Plot;

/// Figures and plots of one bench.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) figures: Vec<Figure>,
    pub(crate) plots: Vec<Plot>,
}

impl Report {
    /// Adds what a part of the bench gives back.
    pub(crate) fn add(&mut self, part: impl Into<Report>) {
        let part = part.into();
        self.figures.extend(part.figures);
        self.plots.extend(part.plots);
    }

    /// Appends the lines of the figures to the files in `results`, and writes the plots there.
    ///
    /// # Errors
    /// Where the directory or a file in it cannot be written.
    pub(crate) fn write(&self, host: &Host, results: &Path) -> Result<()> {
        figure::write_lines(&self.figures, host, results)?;
        self.plots.iter().try_for_each(|plot| plot.write(results))
    }
}

impl From<Vec<Figure>> for Report {
    fn from(figures: Vec<Figure>) -> Report {
        Report {
            figures,
            plots: Vec::new(),
        }
    }
}
