//! How much memory this process may lock and use: `RLIMIT_MEMLOCK` and the limit of its cgroup.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// `int getrlimit(RLIMIT_MEMLOCK, struct rlimit *)`: the bytes this process may lock in all; `None`: as many as there are.
///
/// Differs from the call in that a thread with `CAP_IPC_LOCK` has no limit, whatever is set: that is
/// how the kernel counts. man 2 getrlimit, man 7 capabilities.
///
/// Safe, since the kernel writes numbers into a place of their size.
#[must_use]
pub fn memory_lock() -> Option<u64> {
    // Where capabilities cannot be asked for, the limit counts.
    let unlimited =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    if unlimited {
        return None;
    }
    getrlimit(Resource::Memlock).current
}

/// `/proc/self/cgroup`, `/proc/self/mountinfo`, and `memory.max` (version 2) or `memory.limit_in_bytes` (version 1) below what they
/// name: the least memory limit of the cgroup that this process is in and of those above it, in bytes; `None`: there is none. The
/// page cache that a process brought in counts too, and what is locked cannot be taken back: past this limit the process is killed.
///
/// Differs from the files in that the limits of the groups above count, too.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// When `/proc` cannot be read. Limits above what this process may see are not known. man 7 cgroups.
pub fn cgroup_memory() -> io::Result<Option<u64>> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let versions = [Version::One, Version::Two];
    let limits = versions
        .iter()
        .filter_map(|version| least_limit(*version, &groups, &mounts));
    Ok(limits.min())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Where a hierarchy of cgroups can be seen: `mount` shows the group `root` and those below it.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    root: PathBuf,
    mount: PathBuf,
}

impl Version {
    /// The file that holds a group's limit.
    fn file_name(self) -> &'static str {
        match self {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        }
    }

    /// The group of this process, by a line `hierarchy:controllers:path` of `/proc/self/cgroup`.
    fn group(self, groups: &str) -> Option<PathBuf> {
        groups.lines().find_map(|line| {
            let (hierarchy, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let found = match self {
                Version::One => controllers.split(',').any(|name| name == "memory"),
                Version::Two => hierarchy == "0" && controllers.is_empty(),
            };
            found.then(|| PathBuf::from(path))
        })
    }

    /// The mount of the hierarchy, by a line of `/proc/self/mountinfo`: `id parent device root mount
    /// options … - type source super-options`.
    fn hierarchy(self, mounts: &str) -> Option<Hierarchy> {
        mounts.lines().find_map(|line| {
            let (place, kind) = line.split_once(" - ")?;
            let mut kind = kind.split(' ');
            let (name, options) = (kind.next()?, kind.nth(1)?);
            let found = match self {
                Version::One => name == "cgroup" && options.split(',').any(|name| name == "memory"),
                Version::Two => name == "cgroup2",
            };
            let mut place = place.split(' ').skip(3);
            let (root, mount) = (place.next()?, place.next()?);
            found.then(|| Hierarchy {
                root: root.into(),
                mount: mount.into(),
            })
        })
    }
}

fn least_limit(version: Version, groups: &str, mounts: &str) -> Option<u64> {
    let group = version.group(groups)?;
    let Hierarchy { root, mount } = version.hierarchy(mounts)?;
    // In a namespace that shows another part of the tree, the mount itself is the best known group.
    let below = group.strip_prefix(&root).unwrap_or(Path::new(""));
    let directory = mount.join(below);
    let above = directory
        .ancestors()
        .take_while(|path| path.starts_with(&mount));
    above
        .filter_map(|path| limit(&path.join(version.file_name())))
        .min()
}

/// The number in the file; `max`, version 1's "as much as can be addressed", and no file are no limit.
fn limit(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let number: u64 = text.trim().parse().ok()?;
    // Version 1 says i64::MAX, rounded down to a page of any size.
    (number < i64::MAX as u64 / 2).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS_ONE: &str = "30 29 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
         31 29 0:27 /docker/abc DIR rw,relatime shared:9 - cgroup cgroup rw,memory\n";
    const MOUNTS_TWO: &str = "24 1 0:22 / DIR rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

    /// Files `(path, text)` below a directory that stands in the place of `DIR` in `mounts`.
    fn check(
        version: Version,
        groups: &str,
        mounts: &str,
        files: &[(&str, &str)],
        wanted: Option<u64>,
    ) {
        let place = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mounts = mounts.replace("DIR", place.path().to_str().unwrap());
        assert_eq!(least_limit(version, groups, &mounts), wanted);
    }

    #[test]
    fn the_least_limit_on_the_way_up_counts() {
        let files = [
            ("memory.max", "max\n"),
            ("a/memory.max", "1000\n"),
            ("a/b/memory.max", "2000\n"),
            ("a/b/c/memory.max", "1\n"),
        ];
        check(Version::Two, "0::/a/b\n", MOUNTS_TWO, &files, Some(1_000));
        check(Version::Two, "0::/\n", MOUNTS_TWO, &files, None);
    }

    #[test]
    fn the_first_version_is_found_below_the_root_of_its_mount() {
        let groups = "9:cpu:/other\n4:hugetlb,memory:/docker/abc/sub\n0::/\n";
        let files = [
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            ("sub/memory.limit_in_bytes", "4096\n"),
        ];
        check(Version::One, groups, MOUNTS_ONE, &files, Some(4_096));
        check(
            Version::One,
            "4:memory:/docker/abc\n",
            MOUNTS_ONE,
            &files,
            None,
        );
    }

    #[test]
    fn what_cannot_be_read_is_no_limit() {
        check(Version::Two, "", MOUNTS_TWO, &[], None);
        check(Version::Two, "0::/gone\n", MOUNTS_TWO, &[], None);
        check(Version::One, "4:memory:/\n", MOUNTS_TWO, &[], None);
        check(
            Version::Two,
            "0::/\nnonsense\n::\n",
            "nonsense\n - \n",
            &[],
            None,
        );
    }
}
