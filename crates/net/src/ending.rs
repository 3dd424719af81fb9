//! Why a connection ends, and how loudly that is said.

use std::error::Error;
use std::io;

use pagelog_store::answer::CloseReason;
use pagelog_transfer::SendError;
use tracing::Level;

use crate::frame::BadLength;

/// The end of one connection; its text is the one log line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ending {
    #[error("the peer closed it")]
    PeerClosed,
    #[error("the peer went away in the middle of a frame, after {received} bytes of it")]
    CutFrame { received: usize },
    #[error("the peer is gone")]
    PeerGone,
    #[error("receiving failed")]
    Receive(#[source] io::Error),
    #[error("its answer could not be sent")]
    Send(#[source] SendError),
    #[error("a frame of {} bytes was announced, and {limit} are allowed: perhaps it speaks another protocol", .bad.0)]
    BadLength { bad: BadLength, limit: usize },
    #[error("{0}")]
    Handler(CloseReason),
    #[error("its handler panicked: this is a bug")]
    Panicked,
    #[error("what is to be sent to it could not be fetched: the fetcher panicked, which is a bug")]
    FetchPanicked,
    #[error("the fetchers' queue is full")]
    FetchersFull,
    #[error("nothing moved on it for {} s", .seconds)]
    Idle { seconds: u64 },
    #[error("it stalled in the middle of a frame while the memory for frames was used up")]
    Stalled,
    #[error("the workers' queue is full")]
    WorkersFull,
    #[error("the server stops")]
    Stopped,
}

impl Ending {
    pub(crate) fn level(&self) -> Level {
        match self {
            Ending::PeerClosed | Ending::Stopped | Ending::PeerGone => Level::DEBUG,
            Ending::Receive(_) | Ending::Send(SendError::Socket(_)) => Level::DEBUG,
            Ending::CutFrame { .. } | Ending::Idle { .. } => Level::INFO,
            Ending::BadLength { .. } | Ending::Handler(_) | Ending::Stalled => Level::WARN,
            Ending::Panicked | Ending::FetchPanicked | Ending::Send(_) => Level::ERROR,
            Ending::WorkersFull | Ending::FetchersFull => Level::ERROR,
        }
    }

    /// The end and its causes, in one line.
    pub(crate) fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line = format!("{line}: {error}");
            cause = error.source();
        }
        line
    }

    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Ending::Idle { .. } | Ending::Stalled)
    }

    /// Whether the peer still listens: then what it sent meanwhile is read and dropped before the close, which would
    /// otherwise turn into a reset that can overtake the last answer.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(
            self,
            Ending::BadLength { .. } | Ending::Handler(_) | Ending::Stopped | Ending::Panicked
        )
    }
}
