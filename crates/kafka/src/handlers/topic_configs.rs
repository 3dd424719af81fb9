//! Which configurations a topic may be made with: those that say what this broker does anyway.
//!
//! A configuration that is accepted and has no effect is a promise that is not kept, so anything else is refused with
//! INVALID_CONFIG, and the message says what would be accepted.

use crate::codec::create_topics::CreatableTopicConfig;

/// Name, and the one value that is true here.
const FIXED: [(&str, &str); 8] = [
    ("cleanup.policy", "delete"),
    ("compression.type", "producer"),
    ("message.timestamp.type", "CreateTime"),
    ("min.insync.replicas", "1"),
    ("preallocate", "true"),
    ("retention.bytes", "-1"),
    ("retention.ms", "-1"),
    ("unclean.leader.election.enable", "false"),
];

/// Whether all of them may be given; else what is wrong with the first that may not.
pub(super) fn check(configs: &[CreatableTopicConfig]) -> Result<(), String> {
    configs.iter().try_for_each(check_one)
}

fn check_one(config: &CreatableTopicConfig) -> Result<(), String> {
    let name = config.name.as_str();
    let Some((_, value)) = FIXED.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = FIXED.iter().map(|(known, _)| *known).collect();
        return Err(format!(
            "topic config {name} is not supported; known are {}",
            known.join(", ")
        ));
    };
    match config.value.as_deref() {
        None => Ok(()),
        Some(given) if given == *value => Ok(()),
        Some(given) => Err(format!(
            "topic config {name}={given} is not supported; it is always {value}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
        CreatableTopicConfig {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_so_anyway_may_be_said() {
        let configs = [
            config("cleanup.policy", Some("delete")),
            config("retention.ms", None),
        ];
        assert_eq!(check(&configs), Ok(()));
    }

    #[test]
    fn what_would_have_no_effect_is_refused_by_name() {
        for (name, value) in [
            ("cleanup.policy", "compact"),
            ("retention.ms", "1000"),
            ("nonsense", "1"),
        ] {
            let error = check(&[config(name, Some(value))]).expect_err(name);
            assert!(error.contains(name), "{error}");
        }
    }
}
