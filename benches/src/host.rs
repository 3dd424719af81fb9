//! Where the figures were taken: kernel, processor, memory, file system, commit. No paths.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The machine and the state of the tree, as every result line names them.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) commit: String,
    pub(crate) kernel: String,
    pub(crate) filesystem: String,
    pub(crate) description: String,
    /// TCP's congestion control: one that paces (BBR) paces over loopback too.
    pub(crate) congestion_control: String,
    /// The one-minute load average before the first round: above some tenths, others were at work.
    pub(crate) load: f64,
}

impl Host {
    /// Asks the running system; `directory` is where the data of the benches lie.
    pub(crate) fn describe(directory: &Path) -> Host {
        Host {
            commit: commit(),
            kernel: first_line("/proc/sys/kernel/osrelease"),
            filesystem: filesystem(directory).unwrap_or_else(|| "unknown".into()),
            description: description(),
            congestion_control: first_line("/proc/sys/net/ipv4/tcp_congestion_control"),
            load: load_average(),
        }
    }
}

/// The one-minute load average, 0 where the system does not say.
pub(crate) fn load_average() -> f64 {
    let line = first_line("/proc/loadavg");
    line.split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0.0)
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".into();
    };
    let changed = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        "crates",
        "benches/src",
    ]);
    if changed.is_some_and(|changed| !changed.is_empty()) {
        return format!("{commit}+changes");
    }
    commit
}

/// The type of the mount that holds `directory`: the longest mount point that is a prefix of it.
pub(crate) fn filesystem(directory: &Path) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(point, _)| directory.starts_with(point))
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind.to_owned())
}

fn description() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let virtual_machine = information
        .split_whitespace()
        .any(|word| word == "hypervisor");
    let kind = if virtual_machine {
        ", virtual machine"
    } else {
        ""
    };
    format!(
        "{model}, {processors} processors, {} GiB{kind}",
        memory_gibibytes()
    )
}

fn memory_gibibytes() -> u64 {
    let information = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes: Option<u64> = information
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kibibytes.unwrap_or(0).div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_names_its_place_without_a_path() {
        let host = Host::describe(Path::new("."));
        assert!(!host.kernel.is_empty() && host.kernel != "unknown");
        assert!(!host.filesystem.contains('/'), "{}", host.filesystem);
        assert!(!host.description.contains('/'), "{}", host.description);
    }
}
