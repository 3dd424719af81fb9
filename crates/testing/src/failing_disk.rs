//! A real disk that fails: a file system on a loop device whose own file has no more room.
//!
//! All its blocks are there as far as the file system above can tell, so files are allocated and written as ever. What fails is the write-back, later:
//! that is what a dying disk or an overcommitted volume does.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The size of the disk as the file system sees it, in bytes.
const SIZE: u64 = 256 << 20;

/// An ext4 of 256 MiB, mounted for the life of this value, that can store `room` bytes.
#[derive(Debug)]
pub struct FailingDisk {
    place: tempfile::TempDir,
}

impl FailingDisk {
    /// Makes and mounts it. `None`, and a line that says so, where that is not allowed or the tools are missing.
    ///
    /// # Errors
    ///
    /// What the directory for temporary files says.
    pub fn mount(room: u64) -> io::Result<Option<FailingDisk>> {
        let disk = FailingDisk {
            place: tempfile::tempdir()?,
        };
        let (below, above) = (disk.below(), disk.path());
        fs::create_dir(&below)?;
        fs::create_dir(&above)?;
        if disk.mount_both(room, &below, &above)? {
            return Ok(Some(disk));
        }
        println!("skipped: this user may not make and mount an ext4");
        Ok(None)
    }

    fn mount_both(&self, room: u64, below: &Path, above: &Path) -> io::Result<bool> {
        let size = format!("size={room}");
        if !run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs"], &[below]) {
            return Ok(false);
        }
        let image = below.join("image");
        File::create_new(&image)?.set_len(SIZE)?;
        // Without a journal, which would end the file system with the first failed write of its own.
        let options = ["-q", "-O", "^has_journal", "-E", "nodiscard"];
        Ok(run("mkfs.ext4", &options, &[&image])
            && run("mount", &["-t", "ext4", "-o", "loop"], &[&image, above]))
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.place.path().join("above")
    }

    fn below(&self) -> PathBuf {
        self.place.path().join("below")
    }

    /// From now on it stores `room` bytes: more than before mends it. Whether that could be done.
    #[must_use]
    pub fn set_room(&self, room: u64) -> bool {
        let size = format!("remount,size={room}");
        run("mount", &["-o", &size], &[&self.below()])
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], &[&self.path()]);
        run("umount", &["-l"], &[&self.below()]);
    }
}

fn run(command: &str, options: &[&str], paths: &[&Path]) -> bool {
    let output = Command::new(command).args(options).args(paths).output();
    output.is_ok_and(|output| output.status.success())
}
