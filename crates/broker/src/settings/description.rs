//! The table of settings in words: for `--help`, and for `docs/operations.md`.

use super::table;

/// Key, default and meaning of every setting, as `--help` shows them.
pub(crate) fn for_help() -> String {
    let mut text = "Settings, for --set KEY=VALUE and the file:\n".to_owned();
    for setting in table::ALL {
        text += &format!(
            "  {}={}\n      {}\n",
            setting.name,
            setting.default,
            setting.meaning.replace('`', "")
        );
        text += &format!(
            "      Allowed: {}.\n",
            setting.kind.allowed().replace('`', "")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::settings::kind::Kind;
    use crate::settings::kind::size;

    /// The rows of the table in the documentation.
    fn for_documentation() -> String {
        let mut text = "| key | default | allowed | meaning |\n|---|---|---|---|\n".to_owned();
        for setting in table::ALL {
            let allowed = match setting.kind {
                Kind::Bytes { least, most } => format!("{} … {}", size(least), size(most)),
                Kind::Milliseconds { least, most } => format!("{least} … {most} ms"),
                Kind::Count { least, most } => format!("{least} … {most}"),
                Kind::Limit { most } => format!("0 … {most}, or -1 for none"),
                Kind::Choice(words) => words.join(", "),
                Kind::Boolean | Kind::Path => setting.kind.allowed(),
                Kind::Listeners => "see [Listeners](#listeners)".to_owned(),
            };
            text += &format!(
                "| `{}` | `{}` | {allowed} | {} |\n",
                setting.name, setting.default, setting.meaning
            );
        }
        text
    }

    #[test]
    fn the_documentation_has_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
        let documentation = std::fs::read_to_string(path).unwrap();
        let table = for_documentation();
        assert!(
            documentation.contains(&table),
            "docs/operations.md wants this table:\n\n{table}"
        );
    }
}
