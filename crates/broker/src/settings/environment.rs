//! The environment: `PAGELOG_NET_REACTORS` sets `net.reactors`. A variable that stands for nothing is an error, since
//! a slip in its name would otherwise be ignored in silence.

use std::ffi::OsString;

use super::error::SettingsError;
use super::nearest;
use super::source::{Assignment, Origin};
use super::table::{self, Setting};

/// What every variable of this program begins with.
const PREFIX: &str = "PAGELOG_";

/// The file with settings, like `--config`.
pub(crate) const CONFIG_VARIABLE: &str = "PAGELOG_CONFIG";

/// What is logged: `info`, `debug`, or directives such as `info,pagelog_net=debug`.
pub(crate) const LOG_VARIABLE: &str = "PAGELOG_LOG";

/// The assignments among `variables`.
///
/// # Errors
/// A variable with the prefix stands for no setting, or its value is not UTF-8.
pub(crate) fn read(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<Assignment>, SettingsError> {
    let ours = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let ours = ours.filter(|(name, _)| name.starts_with(PREFIX));
    let mut found = Vec::new();
    for (name, value) in ours.filter(|(name, _)| name != CONFIG_VARIABLE && name != LOG_VARIABLE) {
        let setting = find(&name)?;
        let origin = Origin::Environment(name);
        match value.into_string() {
            Ok(text) => found.push(Assignment {
                name: setting.name.to_owned(),
                text,
                origin,
            }),
            Err(value) => {
                return Err(SettingsError::Encoding {
                    origin,
                    text: value.to_string_lossy().into_owned(),
                });
            }
        }
    }
    Ok(found)
}

fn find(variable: &str) -> Result<&'static Setting, SettingsError> {
    let known = table::ALL
        .iter()
        .copied()
        .find(|setting| setting.variable() == variable);
    known.ok_or_else(|| SettingsError::UnknownVariable {
        variable: variable.to_owned(),
        nearest: nearest_variables(variable),
    })
}

/// The variables of the keys nearest to what the variable would mean.
fn nearest_variables(variable: &str) -> Vec<String> {
    let name = variable
        .trim_start_matches(PREFIX)
        .to_lowercase()
        .replace('_', ".");
    let known = |key: &str| table::ALL.iter().find(|setting| setting.name == key);
    nearest::nearest(&name)
        .into_iter()
        .filter_map(known)
        .map(|setting| setting.variable())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    fn check(name: &str, value: &[u8]) -> String {
        let variables = [(OsString::from(name), OsString::from_vec(value.to_vec()))];
        match read(variables.into_iter()) {
            Ok(found) => found
                .iter()
                .map(|one| format!("{}={}", one.name, one.text))
                .collect(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn dots_and_hyphens_are_underscores() {
        assert_eq!(
            check("PAGELOG_KAFKA_NUM_PARTITIONS", b"4"),
            "kafka.num.partitions=4"
        );
        assert_eq!(
            check("PAGELOG_NET_IN_FLIGHT_BYTES_MAX", b"1MiB"),
            "net.in-flight.bytes.max=1MiB"
        );
    }

    #[test]
    fn what_is_not_ours_and_what_is_no_setting_is_left_alone() {
        assert_eq!(check("HOME", b"/root"), "");
        assert_eq!(check("PAGELOG_LOG", b"debug"), "");
        assert_eq!(check("PAGELOG_CONFIG", b"p.toml"), "");
    }

    #[test]
    fn an_unknown_variable_is_named() {
        let error = check("PAGELOG_NET_REACTOR", b"4");
        assert!(
            error.starts_with("environment PAGELOG_NET_REACTOR: "),
            "{error}"
        );
        assert!(
            error.contains("the nearest are PAGELOG_NET_REACTORS,"),
            "{error}"
        );
    }

    #[test]
    fn a_value_is_text() {
        let error = check("PAGELOG_DATA_DIR", b"\xff");
        assert!(
            error.contains("PAGELOG_DATA_DIR") && error.contains("not UTF-8"),
            "{error}"
        );
    }
}
