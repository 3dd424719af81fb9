//! Logging: lines on standard error, filtered by `PAGELOG_LOG`. Standard output is left to the `ready` line.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::environment::LOG_VARIABLE;
use crate::settings::error::SettingsError;

/// Starts logging; `info` when the variable is not set.
///
/// # Errors
/// The variable holds no filter.
pub(crate) fn start() -> Result<(), SettingsError> {
    let text = std::env::var(LOG_VARIABLE).unwrap_or_default();
    let text = if text.is_empty() {
        "info"
    } else {
        text.as_str()
    };
    let filter = EnvFilter::try_new(text).map_err(|error| SettingsError::LogFilter {
        text: text.to_owned(),
        reason: error.to_string(),
    })?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .init();
    Ok(())
}
