//! An expression for the names of topics (KIP-848's regular expressions are RE2's).
//!
//! The `regex` crate takes linear time, as RE2 does, and the compiled size is bounded here, so that nobody's expression costs others more than it should.

use regex::{Regex, RegexBuilder};

/// The most bytes that a compiled expression may take.
const SIZE_MAX: usize = 1 << 20;

/// A compiled expression; it names a topic when it matches the whole name.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// It is no expression, or one that is too large.
    pub(super) fn new(text: &str) -> Result<Pattern, regex::Error> {
        let whole = format!("^(?:{text})$");
        // The text alone has to be an expression, too: it may not close the group that is put round it.
        RegexBuilder::new(text).size_limit(SIZE_MAX).build()?;
        let regex = RegexBuilder::new(&whole).size_limit(SIZE_MAX).build()?;
        Ok(Pattern {
            text: text.to_owned(),
            regex,
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn names(&self, topic: &str) -> bool {
        self.regex.is_match(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_match_and_what_is_no_expression_is_refused() {
        let pattern = Pattern::new("a|orders-.*").expect("an expression");
        assert!(pattern.names("a") && pattern.names("orders-eu"));
        assert!(!pattern.names("aa") && !pattern.names("my-orders-eu"));
        for text in ["(", "*", "a)|(b", "(?=x)", "(a{1000}){1000}"] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
    }
}
