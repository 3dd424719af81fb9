//! File systems to measure on: the one of the benches' directory, and others in files of it, by loop devices, where this user may mount.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Large enough for every file system, and for a log of small segments; the file is sparse.
const SIZE: u64 = 1 << 30;

/// A file system that was made for the bench, mounted for the life of this value.
pub(super) struct FileSystem {
    place: TempDir,
    device: String,
}

impl FileSystem {
    /// Makes and mounts one of `kind` in a file below `parent`. `None`, and a line that says why, where that is not allowed.
    pub(super) fn mount(kind: &str, parent: &Path) -> Option<FileSystem> {
        match FileSystem::try_mount(kind, parent) {
            Ok(mounted) => Some(mounted),
            Err(error) => {
                eprintln!("storage: skipped: {kind} on a loop device: {error:#}");
                None
            }
        }
    }

    fn try_mount(kind: &str, parent: &Path) -> Result<FileSystem> {
        let place = tempfile::Builder::new()
            .prefix("mount-")
            .tempdir_in(parent)?;
        let (image, point) = (place.path().join("image"), place.path().join("point"));
        File::create_new(&image)?.set_len(SIZE)?;
        fs::create_dir(&point)?;
        run(Command::new(format!("mkfs.{kind}")).arg("-q").arg(&image))?;
        let device = run(Command::new("losetup")
            .arg("--find")
            .arg("--show")
            .arg(&image))?;
        let mounted = FileSystem { place, device };
        run(Command::new("mount")
            .args(["-t", kind])
            .arg(&mounted.device)
            .arg(&point))?;
        Ok(mounted)
    }

    /// Where files go.
    pub(super) fn path(&self) -> PathBuf {
        self.place.path().join("point")
    }

    /// What has been written to its device, in bytes; man 5 proc, the fields of `/sys/block/DEVICE/stat`.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub(super) fn written_bytes(&self) -> Result<u64> {
        let name = self.device.trim_start_matches("/dev/");
        let stat = fs::read_to_string(format!("/sys/block/{name}/stat"))?;
        let sectors = stat.split_whitespace().nth(6);
        Ok(sectors.context("too few fields")?.parse::<u64>()? * 512)
    }
}

impl Drop for FileSystem {
    fn drop(&mut self) {
        // What cannot be unmounted now is when its last user is gone; what was not mounted needs it not.
        let _ = run(Command::new("umount").arg("--lazy").arg(self.path()));
        let _ = run(Command::new("losetup").arg("--detach").arg(&self.device));
    }
}

/// Runs it; answers the first line it said.
fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .context(program.clone())?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "{program}: {said}");
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or("").trim().to_owned())
}
