//! The name of a topic: what may be one.
//!
//! The rule is the one that clients of this field already keep: letters, digits, `.`, `_` and `-`, at most 249 of
//! them, and neither `.` nor `..` (which a file system would take for itself).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The longest name, in bytes.
pub const TOPIC_NAME_SIZE_MAX: usize = 249;

/// A valid topic name. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a name cannot be a topic's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicNameError {
    /// Nothing was given.
    #[error("a topic name cannot be empty")]
    Empty,
    /// Longer than [`TOPIC_NAME_SIZE_MAX`].
    #[error("a topic name has at most {TOPIC_NAME_SIZE_MAX} bytes, this one has {size}")]
    TooLong {
        /// Its size in bytes.
        size: usize,
    },
    /// `.` or `..`.
    #[error("a topic cannot be named `.` or `..`")]
    Dots,
    /// A character that is not allowed.
    #[error("topic name {name:?} holds {found:?}; allowed are letters, digits, `.`, `_` and `-`")]
    Character {
        /// The name.
        name: String,
        /// The first character that is not allowed.
        found: char,
    },
}

impl TopicName {
    /// Checks a name.
    ///
    /// ```
    /// use pagelog_store::TopicName;
    ///
    /// assert!(TopicName::new("orders.2-a_b").is_ok());
    /// assert!(TopicName::new("a/b").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// When it is empty, too long, `.`, `..`, or holds a character that is not allowed.
    pub fn new(name: &str) -> Result<TopicName, TopicNameError> {
        match name {
            "" => return Err(TopicNameError::Empty),
            "." | ".." => return Err(TopicNameError::Dots),
            _ => {}
        }
        if name.len() > TOPIC_NAME_SIZE_MAX {
            return Err(TopicNameError::TooLong { size: name.len() });
        }
        match name.chars().find(|c| !is_allowed(*c)) {
            Some(found) => Err(TopicNameError::Character {
                name: name.to_owned(),
                found,
            }),
            None => Ok(TopicName(name.into())),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

impl fmt::Display for TopicName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_allowed_characters_pass() {
        for name in ["a", "A-Z_0.9", "...", &"x".repeat(TOPIC_NAME_SIZE_MAX)] {
            assert_eq!(TopicName::new(name).expect(name).as_str(), name);
        }
    }

    #[test]
    fn the_others_are_refused_each_for_its_own_reason() {
        assert_eq!(TopicName::new(""), Err(TopicNameError::Empty));
        assert_eq!(TopicName::new(".."), Err(TopicNameError::Dots));
        let long = "x".repeat(TOPIC_NAME_SIZE_MAX + 1);
        assert_eq!(
            TopicName::new(&long),
            Err(TopicNameError::TooLong { size: 250 })
        );
        for (name, found) in [("a/b", '/'), ("a b", ' '), ("é", 'é'), ("a\0", '\0')] {
            let name = name.to_owned();
            assert_eq!(
                TopicName::new(&name),
                Err(TopicNameError::Character {
                    name: name.clone(),
                    found
                })
            );
        }
    }
}
