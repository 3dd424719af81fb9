//! `cargo xtask shape`: lengths of functions and files per crate. It shows; it fails nothing.
//!
//! A function is measured from the line of its `fn` to the line of its closing brace, found by indentation, which
//! rustfmt guarantees. Tests (files named so, and what follows `mod tests {`) are left out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::root;

/// What was measured in a group of files, each list sorted.
#[derive(Default)]
struct Shape {
    file_lengths: Vec<usize>,
    function_lengths: Vec<usize>,
    longest_function: Longest,
    longest_file: Longest,
}

/// The longest one, and where it is.
#[derive(Default)]
struct Longest {
    lines: usize,
    place: String,
}

impl Longest {
    fn offer(&mut self, lines: usize, place: impl FnOnce() -> String) {
        if lines > self.lines {
            *self = Longest {
                lines,
                place: place(),
            };
        }
    }
}

/// Prints one row per crate and one for all.
///
/// # Errors
/// A source file cannot be read.
pub(crate) fn run() -> Result<()> {
    println!(
        "{:<12} {:>5} {:>22} {:>26}",
        "", "files", "file median/p95/max", "function median/p95/max"
    );
    let mut all = Shape::default();
    for directory in source_directories()? {
        let mut shape = Shape::default();
        for file in rust_files(&directory.join("src"))? {
            measure_file(&file, &mut shape)?;
            measure_file(&file, &mut all)?;
        }
        let name = directory
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        print_row(&name, &mut shape);
    }
    print_row("all", &mut all);
    println!(
        "longest file: {} lines, {}",
        all.longest_file.lines, all.longest_file.place
    );
    println!(
        "longest function: {} lines, {}",
        all.longest_function.lines, all.longest_function.place
    );
    Ok(())
}

fn print_row(name: &str, shape: &mut Shape) {
    let files = shape.file_lengths.len();
    let file = distribution(&mut shape.file_lengths);
    let function = distribution(&mut shape.function_lengths);
    println!("{name:<12} {files:>5} {file:>22} {function:>26}");
}

/// Median, 95th percentile and maximum, as text.
fn distribution(lengths: &mut [usize]) -> String {
    lengths.sort_unstable();
    let Some(last) = lengths.len().checked_sub(1) else {
        return "-".to_owned();
    };
    format!(
        "{}/{}/{}",
        lengths[last / 2],
        lengths[last * 95 / 100],
        lengths[last]
    )
}

/// The crates, the task runner and the benches.
fn source_directories() -> Result<Vec<PathBuf>> {
    let mut directories = children(&root().join("crates"))?;
    directories.extend(["xtask", "benches", "fuzz"].map(|name| root().join(name)));
    Ok(directories)
}

fn children(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("cannot list {}", directory.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// All `.rs` files below, tests left out.
fn rust_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in children(directory)? {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name == "tests" || name == "tests.rs" {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn measure_file(path: &Path, shape: &mut Shape) -> Result<()> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("mod tests {"))
        .collect();
    let place = path
        .strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string();
    shape.file_lengths.push(lines.len());
    shape.longest_file.offer(lines.len(), || place.clone());
    for (name, length) in functions(&lines) {
        shape.function_lengths.push(length);
        shape
            .longest_function
            .offer(length, || format!("{name} in {place}"));
    }
    Ok(())
}

/// Every function with a body: its name and its lines.
fn functions(lines: &[&str]) -> Vec<(String, usize)> {
    let starts = lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| Some((index, function_name(line)?)));
    starts
        .filter_map(|(index, name)| Some((name.to_owned(), body_length(&lines[index..])?)))
        .collect()
}

/// The name of the function that this line declares, if it declares one.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let qualifiers = ["pub", "const", "unsafe", "async", "extern", "\"C\""];
    let declares = before
        .split_whitespace()
        .all(|word| qualifiers.contains(&word) || word.starts_with("pub("));
    let end = after.find(['(', '<'])?;
    (declares && end > 0).then(|| &after[..end])
}

/// Lines from the first one to the closing brace of the same indentation; `None` for a declaration without a body.
fn body_length(lines: &[&str]) -> Option<usize> {
    let indentation = lines[0].len() - lines[0].trim_start().len();
    for (index, line) in lines.iter().enumerate() {
        let text = line.trim_end();
        let outer = text.len() - text.trim_start().len() == indentation;
        if index == 0 && text.ends_with('}') {
            return Some(1);
        }
        if outer && text.trim_start() == "}" {
            return Some(index + 1);
        }
        if outer && text.ends_with(';') {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::functions;

    fn check(source: &str, expected: &[(&str, usize)]) {
        let lines: Vec<&str> = source.lines().collect();
        let expected: Vec<(String, usize)> = expected
            .iter()
            .map(|(name, length)| ((*name).to_owned(), *length))
            .collect();
        assert_eq!(functions(&lines), expected);
    }

    #[test]
    fn a_function_ends_at_its_own_brace() {
        check("pub fn one() {\n    if a {\n    }\n}\n", &[("one", 4)]);
        check(
            "impl A {\n    fn two(\n        a: u8,\n    ) -> u8 {\n        a\n    }\n}\n",
            &[("two", 5)],
        );
    }

    #[test]
    fn one_line_and_no_body() {
        check("fn one() {}\nfn two(&self) -> u8;\n", &[("one", 1)]);
    }

    #[test]
    fn a_type_or_a_word_is_no_function() {
        check(
            "type A = Box<dyn Fn(u8)>;\n// the fn (here) is prose\nlet f: fn (u8) = g;\n",
            &[],
        );
    }
}
