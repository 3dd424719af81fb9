//! Signals: the first SIGTERM or SIGINT asks for a clean stop, the second one ends the process where it stands.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

/// What the main thread waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A signal asked for a clean stop.
    Stop(&'static str),
    /// The log failed, it says itself why.
    LogFailed,
}

/// Sends [`Event::Stop`] at the first signal; from then on a signal ends the process with 128 plus its number.
///
/// # Errors
/// The system refuses the handlers or the thread.
pub(crate) fn install(events: Sender<Event>) -> io::Result<()> {
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Registered before the flag is, so that the first signal passes it by and the second one does not.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stopping))?;
        flag::register(signal, Arc::clone(&stopping))?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                // Nobody listens any more when the process is about to end anyway.
                let _ = events.send(Event::Stop(name_of(signal)));
            }
        })?;
    Ok(())
}

fn name_of(signal: i32) -> &'static str {
    if signal == SIGINT {
        "SIGINT"
    } else {
        "SIGTERM"
    }
}
