//! Holds the layers of `docs/architecture.md`: dependencies run strictly downward, and each crate keeps its absences.
//!
//! The packages and their dependencies come from `cargo metadata`, so that a drawing cannot differ from the build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layer of each crate; a dependency goes to a lower layer.
const LAYERS: &[(&str, u8)] = &[
    ("pagelog-os", 0),
    ("pagelog-record", 0),
    ("pagelog-page-cache", 1),
    ("pagelog-segment", 1),
    ("pagelog-commit-log", 1),
    ("pagelog-flush", 2),
    ("pagelog-transfer", 2),
    ("pagelog-store", 3),
    ("pagelog-kafka", 4),
    ("pagelog-net", 4),
    ("pagelog-broker", 5),
];

/// The dependencies inside a layer.
const WITHIN_A_LAYER: &[(&str, &str)] = &[
    ("pagelog-commit-log", "pagelog-segment"),
    ("pagelog-commit-log", "pagelog-page-cache"),
    ("pagelog-segment", "pagelog-page-cache"),
];

/// Programs and support for tests: they may use any crate, and no crate builds upon them.
const TOOLS: &[&str] = &[
    "pagelog-testing",
    "pagelog-benches",
    "pagelog-fuzz",
    "xtask",
];

/// What a crate may not depend upon, beside its layer.
const NEVER: &[(&str, &[&str])] = &[
    ("pagelog-record", &["libc", "rustix", "memmap2", "tracing"]),
    ("pagelog-page-cache", &["pagelog-record"]),
    ("pagelog-segment", &["pagelog-record"]),
    (
        "pagelog-transfer",
        &["pagelog-record", "pagelog-commit-log", "pagelog-flush"],
    ),
    ("pagelog-kafka", &["pagelog-net", "rustix", "libc"]),
    ("pagelog-net", &["pagelog-kafka", "kafka-protocol"]),
];

/// The crates that may end an error in text.
const ANYHOW: &[&str] = &["pagelog-broker", "pagelog-benches", "xtask"];

/// The crates that may read a configuration file or set up logging.
const CONFIGURATION: &[&str] = &[
    "pagelog-broker",
    "pagelog-benches",
    "pagelog-testing",
    "pagelog-fuzz",
    "xtask",
];

/// The dependencies of one package: what it is built with, and what only its tests use.
#[derive(Debug, Default)]
struct Dependencies {
    normal: Vec<String>,
    development: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn packages() -> BTreeMap<String, Dependencies> {
    let arguments = ["metadata", "--locked", "--no-deps", "--format-version", "1"];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = |package: &serde_json::Value| (text(&package["name"]), dependencies(package));
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(package)
        .collect()
}

fn dependencies(package: &serde_json::Value) -> Dependencies {
    let mut found = Dependencies::default();
    for dependency in package["dependencies"].as_array().unwrap() {
        let list = if dependency["kind"] == "dev" {
            &mut found.development
        } else {
            &mut found.normal
        };
        list.push(text(&dependency["name"]));
    }
    found
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn layer(name: &str) -> Option<u8> {
    LAYERS
        .iter()
        .find(|(layered, _)| *layered == name)
        .map(|(_, layer)| *layer)
}

/// Whether the package may be built with the crate of ours.
fn goes_down(package: &str, dependency: &str) -> bool {
    if WITHIN_A_LAYER.contains(&(package, dependency)) {
        return true;
    }
    match (layer(package), layer(dependency)) {
        (Some(upper), Some(lower)) => lower < upper,
        (None, Some(_)) => true,
        (upper, None) => upper.is_none(),
    }
}

#[test]
fn every_package_has_a_place() {
    for name in packages().keys() {
        assert!(
            layer(name).is_some() || TOOLS.contains(&name.as_str()),
            "{name} is in no layer"
        );
    }
}

#[test]
fn dependencies_run_downward() {
    let packages = packages();
    for (name, dependencies) in &packages {
        for dependency in dependencies
            .normal
            .iter()
            .filter(|dependency| packages.contains_key(*dependency))
        {
            assert!(
                goes_down(name, dependency),
                "{name} is built with {dependency}, which is not below it"
            );
        }
    }
}

/// Tests may use `pagelog-testing`, which stands apart, and what lies below.
#[test]
fn tests_do_not_reach_upward() {
    for (name, dependencies) in packages() {
        for dependency in dependencies
            .development
            .iter()
            .filter(|dependency| layer(dependency).is_some())
        {
            assert!(
                goes_down(&name, dependency),
                "the tests of {name} use {dependency}, which is not below it"
            );
        }
    }
}

#[test]
fn each_crate_keeps_its_absences() {
    let packages = packages();
    for (name, absent) in NEVER {
        for dependency in &packages[*name].normal {
            assert!(
                !absent.contains(&dependency.as_str()),
                "{name} is built with {dependency}"
            );
        }
    }
}

#[test]
fn errors_keep_their_type_and_configuration_its_place() {
    for (name, dependencies) in packages() {
        let has = |wanted: &str| {
            dependencies
                .normal
                .iter()
                .any(|dependency| dependency == wanted)
        };
        assert!(
            !has("anyhow") || ANYHOW.contains(&name.as_str()),
            "{name} is built with anyhow"
        );
        for dependency in ["toml_edit", "clap", "tracing-subscriber"] {
            let allowed = CONFIGURATION.contains(&name.as_str());
            assert!(
                !has(dependency) || allowed,
                "{name} is built with {dependency}"
            );
        }
    }
}

/// All Rust files of the workspace, with their path from its root.
fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
        {
            let shown = path
                .strip_prefix(root())
                .unwrap_or(&path)
                .display()
                .to_string();
            found.push((shown, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The lines of the files below `directories` that hold one of `words`, outside of comments and of tests.
fn lines_with(directories: &[&str], words: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    for directory in directories {
        sources(&root().join(directory), &mut files);
    }
    let mut found = Vec::new();
    for (path, source) in &files {
        let production = source
            .lines()
            .take_while(|line| !line.starts_with("mod tests {"));
        for (index, line) in production.enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn unsafe_is_in_os_alone() {
    let found = lines_with(
        &["crates", "xtask/src", "benches", "fuzz"],
        &["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"],
    );
    let elsewhere: Vec<_> = found
        .iter()
        .filter(|line| !line.starts_with("crates/os/"))
        .collect();
    assert!(
        elsewhere.is_empty(),
        "unsafe outside of crates/os: {elsewhere:#?}"
    );
    assert!(
        !found.is_empty(),
        "the search finds nothing in crates/os, so it searches wrongly"
    );
}

#[test]
fn kafka_and_store_know_no_socket() {
    let sockets = ["TcpStream", "TcpListener", "BorrowedFd", "AsFd"];
    let found = lines_with(
        &[
            "crates/kafka/src",
            "crates/store/src",
            "crates/commit-log/src",
        ],
        &sockets,
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn store_and_what_lies_below_name_no_protocol() {
    let below = [
        "os",
        "record",
        "page-cache",
        "segment",
        "commit-log",
        "flush",
        "transfer",
        "store",
    ]
    .map(|name| format!("crates/{name}/src"));
    let below: Vec<&str> = below.iter().map(String::as_str).collect();
    let found = lines_with(&below, &["Kafka", "kafka", "KAFKA", "RocketMQ", "rocketmq"]);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_log_starts_no_thread() {
    let found = lines_with(
        &["crates/commit-log/src", "crates/record/src"],
        &["thread::spawn", "thread::Builder"],
    );
    assert!(found.is_empty(), "{found:#?}");
}
