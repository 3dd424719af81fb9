//! Which pages of files are in memory, and, when told to, brings them in or lets them go.
//!
//! ```sh
//! cargo run --release -p pagelog-os --example resident -- [load|let-go] FILE...
//! ```

use std::error::Error;
use std::fs::File;
use std::io;

use pagelog_os::cache::{self, CountError};
use pagelog_os::file::{self, FileAdvice};
use pagelog_os::{Mapping, page_size};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let what = match arguments.first().map(String::as_str) {
        Some("load") => Some(true),
        Some("let-go") => Some(false),
        _ => None,
    };
    if what.is_some() {
        arguments.remove(0);
    }
    if arguments.is_empty() {
        return Err("which files?".into());
    }
    for name in &arguments {
        match show(name, what) {
            Ok(line) => println!("{name}: {line}"),
            Err(error) => eprintln!("{name}: {error}"),
        }
    }
    Ok(())
}

fn show(name: &str, what: Option<bool>) -> Result<String, Box<dyn Error>> {
    let file = File::open(name)?;
    let size = file.metadata()?.len();
    match what {
        Some(true) => load(&file, size)?,
        Some(false) => file::advise(&file, 0..size, FileAdvice::DontNeed)?,
        None => {}
    }
    let pages = size.div_ceil(page_size() as u64);
    Ok(match cache::count_pages(&file, 0..size) {
        Ok(counts) => format!(
            "{} of {pages} pages, {} dirty, {} being written, {} evicted",
            counts.resident, counts.dirty, counts.write_back, counts.evicted
        ),
        // An older kernel, or a file of somebody else's: then it is a mapping that can be asked, and not about all of it.
        Err(CountError::Unsupported | CountError::Refused(_)) => {
            let mapping = Mapping::shared_read_only(&file, usize::try_from(size)?)?;
            format!(
                "{} of {pages} pages",
                mapping.resident_pages(0..mapping.size())?
            )
        }
        Err(error) => return Err(error.into()),
    })
}

fn load(file: &File, size: u64) -> io::Result<()> {
    let size = usize::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mapping = Mapping::shared_read_only(file, size)?;
    mapping.load(0..size)
}
