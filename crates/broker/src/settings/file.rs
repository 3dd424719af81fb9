//! The settings file: TOML, in which `[kafka]` with `"num.partitions" = 4` and `kafka.num.partitions = 4` say the same.

use std::path::Path;

use toml_edit::{Document, Item, Table, TableLike, Value};

use super::error::SettingsError;
use super::source::{Assignment, Origin};

/// Every key of the file with its text and its line.
///
/// # Errors
/// The file cannot be read, is not TOML, or a value is neither a number, a word, a boolean nor a list of those.
pub(crate) fn read(path: &Path) -> Result<Vec<Assignment>, SettingsError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::File {
        path: shown.clone(),
        source,
    })?;
    parse(&shown, &text)
}

/// The same for text that is already here; `path` is for messages.
fn parse(path: &str, text: &str) -> Result<Vec<Assignment>, SettingsError> {
    let document = Document::parse(text).map_err(|error| SettingsError::Syntax {
        origin: origin(path, text, error.span().map(|span| span.start)),
        message: error.message().trim().to_owned(),
    })?;
    let mut reader = Reader {
        path,
        text,
        found: Vec::new(),
    };
    reader.table("", document.as_table())?;
    Ok(reader.found)
}

/// Walks the tables and collects what they assign.
struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    found: Vec<Assignment>,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &Table) -> Result<(), SettingsError> {
        self.entries(prefix, table)
    }

    fn entries(&mut self, prefix: &str, table: &dyn TableLike) -> Result<(), SettingsError> {
        for (name, item) in table.iter() {
            let start = table
                .key(name)
                .and_then(|key| key.span())
                .map(|span| span.start);
            let origin = origin(self.path, self.text, start);
            self.item(join(prefix, name), item, origin)?;
        }
        Ok(())
    }

    fn item(&mut self, name: String, item: &Item, origin: Origin) -> Result<(), SettingsError> {
        if let Some(table) = item.as_table_like() {
            return self.entries(&name, table);
        }
        match item.as_value().and_then(text_of) {
            Some(text) => self.found.push(Assignment { name, text, origin }),
            None => return Err(SettingsError::Shape { origin, name }),
        }
        Ok(())
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// The value as one would write it for `--set`; a list has commas.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Boolean(boolean) => Some(boolean.value().to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(text_of).collect();
            Some(items?.join(","))
        }
        Value::Float(_) | Value::Datetime(_) | Value::InlineTable(_) => None,
    }
}

/// The line of the byte at `start`.
fn origin(path: &str, text: &str, start: Option<usize>) -> Origin {
    let before = text.as_bytes().iter().take(start.unwrap_or(0));
    let line = 1 + before.filter(|byte| **byte == b'\n').count();
    Origin::File {
        path: path.to_owned(),
        line,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    /// `line name=text` for each assignment, or the error.
    fn read(text: &str) -> String {
        match parse("p.toml", text) {
            Ok(found) => {
                let lines = found
                    .iter()
                    .map(|one| format!("{} {}={}", one.origin, one.name, one.text));
                lines.collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_table_with_quoted_keys_a_dotted_key_and_an_inline_table_are_the_same() {
        for text in [
            "\n[kafka]\n\"num.partitions\" = 4\n",
            "\n\nkafka.num.partitions = 4\n",
            "\n\n[kafka.num]\npartitions = 4\n",
            "\n\n\"kafka.num.partitions\" = \"4\"",
        ] {
            let read = read(text);
            assert!(read.ends_with(" kafka.num.partitions=4"), "{read}");
        }
        assert_eq!(
            read("kafka = { num = { partitions = 4 } }"),
            "p.toml:1 kafka.num.partitions=4"
        );
    }

    #[test]
    fn lines_are_those_of_the_keys() {
        let text =
            "# first\nsegment.bytes = \"1MiB\"\n\n[net]\nreactors = 2\n\"idle.timeout.ms\" = 5\n";
        let expected =
            "p.toml:2 segment.bytes=1MiB\np.toml:5 net.reactors=2\np.toml:6 net.idle.timeout.ms=5";
        assert_eq!(read(text), expected);
    }

    #[test]
    fn a_list_has_commas() {
        let text = "kafka.listeners = [\"127.0.0.1:1\", \"B=[::1]:2\"]";
        assert_eq!(read(text), "p.toml:1 kafka.listeners=127.0.0.1:1,B=[::1]:2");
    }

    #[test]
    fn what_is_not_toml_names_its_line() {
        let error = read("a = 1\nb = = 2\n");
        assert!(error.starts_with("p.toml:2: "), "{error}");
        let error = read("a = 1\na = 2\n");
        assert!(error.starts_with("p.toml:2: "), "{error}");
    }

    #[test]
    fn a_float_and_a_date_are_no_values() {
        for text in [
            "\nnet.reactors = 1.5",
            "\nnet.reactors = 1979-05-27",
            "\nnet.reactors = [1.5]",
        ] {
            let error = read(text);
            assert!(error.starts_with("p.toml:2: net.reactors"), "{error}");
        }
    }
}
