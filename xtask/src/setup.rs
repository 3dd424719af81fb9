//! What the tests need beside Rust: real Kafka clients, with pinned versions, under `target/clients`.
//!
//! Nothing outside `target/` is touched, except that kcat comes from the distribution: as root a missing one is
//! installed, otherwise it is named as missing. What is missing is said, and never passes for tested.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::clients::Jvm;
use crate::command::{self, run as run_command};

/// The directory with the agents and with the two lists of pinned packages.
pub(crate) fn agents() -> PathBuf {
    command::root().join("tests").join("clients")
}

/// What was found or installed; `None` is in `missing` with its reason.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    /// The Python of a virtual environment that has confluent-kafka, kafka-python, aiokafka and their codecs.
    pub(crate) python: Option<PathBuf>,
    /// Node, with kafkajs and its codecs.
    pub(crate) node: Option<NodeClients>,
    /// The same, if it is one on which @platformatic/kafka runs.
    pub(crate) platformatic: Option<NodeClients>,
    /// A member of a group by franz-go, built.
    pub(crate) franz: Option<PathBuf>,
    /// The agent and group member by the crate rdkafka, built.
    pub(crate) rdkafka: Option<PathBuf>,
    /// kcat, the command line client over librdkafka.
    pub(crate) kcat: Option<PathBuf>,
    /// Java, with the tools of Apache Kafka.
    pub(crate) java: Option<JavaClients>,
    /// strace, for the tests that count system calls.
    pub(crate) strace: Option<PathBuf>,
    /// What could not be had, and why.
    pub(crate) missing: Vec<Missing>,
}

/// A Node runtime and the directory where its packages are.
#[derive(Clone, Debug)]
pub(crate) struct NodeClients {
    /// The `node` program.
    pub(crate) node: PathBuf,
    /// The value for `NODE_PATH`.
    pub(crate) modules: PathBuf,
}

/// A Java runtime, with Apache Kafka's jars.
#[derive(Debug)]
pub(crate) struct JavaClients {
    /// Kafka 3.9 and 4.3.
    pub(crate) releases: [Jvm; 2],
}

/// A tool that could not be had.
#[derive(Debug)]
pub(crate) struct Missing {
    /// Its name, as a user would install it.
    pub(crate) name: &'static str,
    /// Why, or what to do.
    pub(crate) reason: String,
}

/// Prepares everything and says what is missing.
///
/// # Errors
/// `target/` cannot be written.
pub(crate) fn run() -> Result<()> {
    let tools = prepare()?;
    for missing in &tools.missing {
        println!("missing: {} ({})", missing.name, missing.reason);
    }
    println!("{}", summary(&tools.missing));
    Ok(())
}

/// The line that says what is missing, by name; the last line of `cargo xtask test`.
pub(crate) fn summary(missing: &[Missing]) -> String {
    if missing.is_empty() {
        return "skipped for a missing tool: nothing".to_owned();
    }
    let names: Vec<&str> = missing.iter().map(|missing| missing.name).collect();
    format!("skipped for a missing tool: {}", names.join(", "))
}

/// Finds or installs every tool. A tool that cannot be had is in `missing`, with what was tried.
///
/// # Errors
/// `target/` cannot be written.
pub(crate) fn prepare() -> Result<Tools> {
    let directory = command::target().join("clients");
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let mut tools = Tools::default();
    tools.python = tools.keep("python3 with venv", python(&directory.join("python")));
    tools.node = tools.keep("node with npm", node(&directory.join("node")));
    let runs = platformatic(tools.node.as_ref());
    tools.platformatic = tools.keep("node 20.19 (for @platformatic/kafka)", runs);
    tools.franz = tools.keep("go (for franz-go)", franz(&directory.join("franz")));
    let built = rdkafka(&directory.join("rdkafka"));
    tools.rdkafka = tools.keep("make with a C++ compiler (for the crate rdkafka)", built);
    tools.java = tools.keep("java with maven", java(&directory.join("java")));
    tools.kcat = tools.keep("kcat", distribution_tool("kcat"));
    tools.strace = tools.keep("strace", distribution_tool("strace"));
    Ok(tools)
}

impl Tools {
    /// The tool, or a line in `missing`.
    fn keep<T>(&mut self, name: &'static str, found: Result<T>) -> Option<T> {
        match found {
            Ok(tool) => Some(tool),
            Err(error) => {
                eprintln!("cannot have {name}: {error:#}");
                self.missing.push(Missing {
                    name,
                    reason: format!("{error:#}"),
                });
                None
            }
        }
    }
}

/// A virtual environment with the Python clients: made once, and again when the list of packages changes.
fn python(directory: &Path) -> Result<PathBuf> {
    let python = directory.join("bin").join("python");
    let requirements = agents().join("requirements.txt");
    install_once(directory, &requirements, || {
        let system = command::which("python3").context("python3 is not on the path")?;
        run_command(
            Command::new(system)
                .args(["-m", "venv", "--clear"])
                .arg(directory),
        )?;
        let mut pip = Command::new(&python);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ]);
        run_command(pip.arg("--requirement").arg(&requirements))
    })?;
    Ok(python)
}

/// A directory with the Node clients; their install scripts are not run, none of them needs one.
fn node(directory: &Path) -> Result<NodeClients> {
    let node = command::which("node").context("node is not on the path")?;
    let lock = agents().join("package-lock.json");
    install_once(directory, &lock, || {
        let npm = command::which("npm").context("npm is not on the path")?;
        std::fs::create_dir_all(directory)?;
        for list in ["package.json", "package-lock.json"] {
            std::fs::copy(agents().join(list), directory.join(list))?;
        }
        let mut install = Command::new(npm);
        install
            .current_dir(directory)
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        run_command(install.arg("--loglevel=error"))
    })?;
    Ok(NodeClients {
        node,
        modules: directory.join("node_modules"),
    })
}

/// Node, if the package loads there: an older one lacks much that it uses.
fn platformatic(node: Option<&NodeClients>) -> Result<NodeClients> {
    let node = node.context("node with npm is missing")?;
    let mut load = Command::new(&node.node);
    load.env("NODE_PATH", &node.modules);
    let loaded = load.args(["-e", "require('@platformatic/kafka')"]).output();
    let loaded = loaded.context("cannot start node")?;
    if !loaded.status.success() {
        let complained = String::from_utf8_lossy(&loaded.stderr);
        anyhow::bail!("it does not load: {}", complained.trim());
    }
    Ok(node.clone())
}

/// Two releases of Kafka's tools, with all that they need, by Maven.
fn java(directory: &Path) -> Result<JavaClients> {
    let java = command::which("java").context("java is not on the path")?;
    let release = |name: &'static str| {
        let directory = directory.join(name);
        let jvm = Jvm {
            java: java.clone(),
            version: name,
            jars: directory.clone(),
        };
        let project = agents().join(format!("kafka-{name}.pom.xml"));
        install_once(&directory, &project, || {
            let maven = command::which("mvn").context("mvn is not on the path")?;
            std::fs::create_dir_all(&directory)?;
            let mut copy = Command::new(maven);
            copy.args(["-q", "-B", "-f"]).arg(&project);
            copy.arg("org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies");
            run_command(copy.arg(format!("-DoutputDirectory={}", directory.display())))?;
            jvm.make_archive()
        })?;
        anyhow::Ok(jvm)
    };
    Ok(JavaClients {
        releases: [release("3.9")?, release("4.3")?],
    })
}

/// Runs `install` unless `directory` holds a copy of this very list, which says that its packages are there.
fn install_once(directory: &Path, list: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = directory.join("installed.txt");
    let wanted =
        std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    install()?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The program of `member_franz`, built once, and again when it or its pinned modules change.
fn franz(directory: &Path) -> Result<PathBuf> {
    let go = command::which("go").context("go is not on the path")?;
    std::fs::create_dir_all(directory)?;
    let source = agents().join("member_franz");
    let program = directory.join("member");
    let mut wanted = String::new();
    for name in ["go.sum", "main.go"] {
        wanted += &std::fs::read_to_string(source.join(name))?;
    }
    let list = directory.join("source.txt");
    std::fs::write(&list, wanted)?;
    install_once(directory, &list, || {
        let mut build = Command::new(go);
        build.current_dir(&source).args(["build", "-o"]);
        run_command(build.arg(&program).arg("."))
    })?;
    Ok(program)
}

/// The program of `rdkafka`, a package of its own: librdkafka takes a minute to build, and once.
fn rdkafka(directory: &Path) -> Result<PathBuf> {
    command::which("make").context("make is not on the path")?;
    let package = agents().join("rdkafka").join("Cargo.toml");
    let mut build = command::cargo(&["build", "--locked", "--quiet", "--manifest-path"]);
    build.arg(package).arg("--target-dir").arg(directory);
    run_command(&mut build)?;
    Ok(directory.join("debug").join("rdkafka-client"))
}

/// A program of the distribution: found, or installed when this runs as root on a system with apt.
fn distribution_tool(name: &str) -> Result<PathBuf> {
    if let Some(found) = command::which(name) {
        return Ok(found);
    }
    let apt = command::which("apt-get").with_context(|| format!("install {name} and run again"))?;
    if !is_root() {
        anyhow::bail!("not installed; as root: apt-get install {name}");
    }
    run_command(Command::new(&apt).args(["update", "-qq"]))?;
    let mut install = Command::new(&apt);
    install.env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "-y",
        "-qq",
        "--no-install-recommends",
        name,
    ]);
    run_command(&mut install)?;
    command::which(name).with_context(|| format!("{name} is still not on the path"))
}

/// Whether this process may install packages: `/proc/self` belongs to the effective user.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}
