//! The file that the demonstration sends.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command;

/// Which file of Debian 12 belongs to which package: 5.7 million lines, 520 MB, 34 MB compressed.
const NAME: &str = "Contents-all";
const ADDRESS: &str = "https://deb.debian.org/debian/dists/bookworm/main/Contents-all.gz";

/// A text file, and what must come out again.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) description: String,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl Source {
    /// The file that the user named, or Debian's list of the files of all packages, which is fetched once.
    ///
    /// # Errors
    /// There is no such file, and it cannot be had.
    pub(crate) fn find(named: Option<&Path>) -> Result<Source> {
        let (path, description) = match named {
            Some(path) => (path.to_path_buf(), path.display().to_string()),
            None => (
                fetch()?,
                format!(
                    "{NAME} of Debian 12 (every file of every package for all architectures), {ADDRESS}"
                ),
            ),
        };
        let (lines, bytes) = measure(&path)?;
        Ok(Source {
            sha256: sha256(&path)?,
            path,
            description,
            lines,
            bytes,
        })
    }
}

/// Fetches and unpacks the default file into `target/demo`, unless it is there.
fn fetch() -> Result<PathBuf> {
    let directory = command::target().join("demo");
    fs::create_dir_all(&directory)?;
    let path = directory.join(NAME);
    if path.is_file() {
        return Ok(path);
    }
    for tool in ["curl", "gzip"] {
        command::which(tool)
            .with_context(|| format!("install {tool}, or name a large text file with --file"))?;
    }
    let packed = directory.join("packed.gz");
    let mut curl = Command::new("curl");
    let fetched = command::run(curl.args(["-fsSL", "-o"]).arg(&packed).arg(ADDRESS));
    fetched.context("cannot fetch the default file; name a large text file with --file")?;
    let unpacked = directory.join("unpacked");
    let mut gzip = Command::new("gzip");
    gzip.args(["--decompress", "--stdout"])
        .arg(&packed)
        .stdout(File::create(&unpacked)?);
    command::run(&mut gzip)?;
    fs::rename(&unpacked, &path)?;
    Ok(path)
}

/// Counts lines and bytes, and insists that the file can be told line by line.
fn measure(path: &Path) -> Result<(u64, u64)> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut lines, mut bytes, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let size = reader.read_until(b'\n', &mut line)?;
        if size == 0 {
            break;
        }
        lines += 1;
        bytes += size as u64;
        ensure!(
            line.ends_with(b"\n"),
            "{} does not end with a line feed",
            path.display()
        );
        ensure!(
            size < 1_000_000,
            "line {lines} of {} has {size} bytes: too long for a message",
            path.display()
        );
        // kcat leaves empty lines out.
        ensure!(
            size > 1,
            "line {lines} of {} is empty: kcat would leave it out",
            path.display()
        );
    }
    Ok((lines, bytes))
}

/// The SHA-256 of a file, by the system's own tool.
fn sha256(path: &Path) -> Result<String> {
    let output = Command::new("sha256sum")
        .stdin(File::open(path)?)
        .output()
        .context("cannot start sha256sum")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match text.split_whitespace().next() {
        Some(digest) if output.status.success() => Ok(digest.to_owned()),
        _ => bail!("sha256sum failed"),
    }
}
