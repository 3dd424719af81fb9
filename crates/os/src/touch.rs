//! Bringing the pages of a mapping in one by one, by use: the plain way beside `populate`.

use std::io;
use std::ops::Range;

use crate::advice::{Populate, PopulateError};
use crate::mapping::{Mapping, MemoryFault};
use crate::words::{self, WORD};

/// How [`Mapping::touch`] uses each page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// One word is loaded: the page is present and can be loaded from without a fault.
    Load,
    /// One word is stored again as it is, atomically: the page is present and can be stored into
    /// without a fault, until it is next written to the disk. A file's page becomes dirty, and with it
    /// the whole of its folio.
    Store,
}

impl Mapping {
    /// One access to the first word of every page that `range` touches. Changes no byte, whoever
    /// copies in at the same time.
    ///
    /// Differs from [`Mapping::populate`] in that it works on every kernel, costs a fault a page where
    /// that call maps what lies around in one go, and can be stopped between any two calls.
    ///
    /// # Errors
    ///
    /// [`MemoryFault`] as for a copy.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping, or the mapping is read-only and is to be stored into.
    pub fn touch(&self, range: Range<usize>, how: Touch) -> Result<(), MemoryFault> {
        let pages = self.pages(&range);
        if how == Touch::Store {
            self.check_writable();
        }
        let touch = match how {
            Touch::Load => words::touch,
            Touch::Store => words::touch_by_store,
        };
        self.guarded(|| {
            // The words end with the mapping, so an empty one has none to touch.
            let words = self.words().iter().skip(pages.start / WORD);
            let words = words.take(pages.len() / WORD);
            words.step_by(crate::page_size() / WORD).for_each(touch);
        })
    }

    /// Brings in every page that `range` touches, and waits for it: [`Mapping::populate`] for reading,
    /// and on kernels before 5.14, which lack that call, one [`Mapping::touch`] a page.
    ///
    /// # Errors
    ///
    /// As [`Mapping::populate`] and [`Mapping::touch`].
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn load(&self, range: Range<usize>) -> io::Result<()> {
        match self.populate(range.clone(), Populate::Read) {
            Err(PopulateError::Unsupported) => Ok(self.touch(range, Touch::Load)?),
            result => Ok(result?),
        }
    }
}
