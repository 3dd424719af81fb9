//! Names of groups.

use std::fmt;
use std::sync::Arc;

/// The longest name of a group, in bytes: what an entry's field of two bytes and the protocols' strings can hold.
pub const GROUP_NAME_SIZE_MAX: usize = 32_767;

/// The name of a group of consumers: any text that is not empty. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName(Arc<str>);

/// Why a text is no name of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a group's name has 1 to {GROUP_NAME_SIZE_MAX} bytes, not {size}")]
pub struct GroupNameError {
    /// The text's size in bytes.
    pub size: usize,
}

impl GroupName {
    /// Takes a text as a name.
    ///
    /// # Errors
    ///
    /// When it is empty or longer than [`GROUP_NAME_SIZE_MAX`].
    pub fn new(text: &str) -> Result<GroupName, GroupNameError> {
        match text.len() {
            1..=GROUP_NAME_SIZE_MAX => Ok(GroupName(Arc::from(text))),
            size => Err(GroupNameError { size }),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for GroupName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_but_none_and_too_much() {
        assert_eq!(
            GroupName::new("grüppe 1").map(|name| name.to_string()),
            Ok("grüppe 1".to_owned())
        );
        assert_eq!(GroupName::new(""), Err(GroupNameError { size: 0 }));
        let long = "x".repeat(GROUP_NAME_SIZE_MAX + 1);
        assert!(GroupName::new(&long[1..]).is_ok());
        assert!(GroupName::new(&long).is_err());
    }
}
