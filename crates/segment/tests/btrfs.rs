//! On Btrfs a file is marked to be overwritten where it lies when it is made: later it takes the mark no more, and a store into its mapping would need
//! a new block each time. Where no such file system can be made and mounted, it says so and tests nothing.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use pagelog_os::file;
use pagelog_os::probe::Overwrite;
use pagelog_segment::{Directory, Storage};
use rustix::fs::IFlags;

/// The least that `mkfs.btrfs` takes is 109 MiB; the file is sparse.
const DISK_SIZE: u64 = 128 << 20;

/// A new Btrfs, mounted for the life of this value.
struct Btrfs {
    place: tempfile::TempDir,
}

impl Btrfs {
    fn mount() -> Option<Btrfs> {
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let image = place.path().join("image");
        File::create_new(&image)
            .unwrap()
            .set_len(DISK_SIZE)
            .unwrap();
        let disk = Btrfs { place };
        std::fs::create_dir(disk.point()).unwrap();
        let made = run("mkfs.btrfs", &["-q"], &[&image]);
        if made
            && run(
                "mount",
                &["-t", "btrfs", "-o", "loop"],
                &[&image, &disk.point()],
            )
        {
            return Some(disk);
        }
        println!("skipped: this user may not make and mount a Btrfs");
        None
    }

    fn point(&self) -> std::path::PathBuf {
        self.place.path().join("point")
    }
}

impl Drop for Btrfs {
    fn drop(&mut self) {
        run("umount", &["-l"], &[&self.point()]);
    }
}

fn run(command: &str, options: &[&str], paths: &[&Path]) -> bool {
    let output = Command::new(command).args(options).args(paths).output();
    output.is_ok_and(|output| output.status.success())
}

fn is_overwritten_in_place(file: &File) -> bool {
    let flags = rustix::fs::ioctl_getflags(file).unwrap();
    flags.contains(IFlags::NOCOW)
}

#[test]
fn files_are_overwritten_where_they_lie() {
    let Some(disk) = Btrfs::mount() else {
        return;
    };
    let point = disk.point();
    let other = File::create_new(point.join("other")).unwrap();
    file::allocate(&other, 1 << 20).unwrap();
    assert!(!file::overwrite_in_place(&other), "it holds something");
    assert!(!is_overwritten_in_place(&other));

    let data = point.join("data");
    let directory = Directory::open(&data).unwrap();
    let made = directory.create("file", 1 << 20).unwrap();
    assert_eq!(made.size().unwrap(), 1 << 20);
    assert!(is_overwritten_in_place(
        &File::open(data.join("file")).unwrap()
    ));
    assert_eq!(Overwrite::of(&data).unwrap(), Overwrite::InPlaceOnRequest);

    // Compressed files are never overwritten where they lie, and new ones are as their directory is.
    let compressed = File::open(&data).unwrap();
    rustix::fs::ioctl_setflags(&compressed, IFlags::COMPRESSED).unwrap();
    directory.create("later", 1 << 20).unwrap();
    assert!(is_overwritten_in_place(
        &File::open(data.join("later")).unwrap()
    ));
    assert_eq!(Overwrite::of(&data).unwrap(), Overwrite::InPlaceOnRequest);
}
