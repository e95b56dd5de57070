//! Faults of the cache.

use std::{fmt, time::Duration};

/// How long a command waited for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    pub time: Duration,
    /// The most that it may take, with a retry.
    pub deadline: Duration,
}

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " ({} ms, of a deadline of {} ms)", self.time.as_millis(), self.deadline.as_millis())
    }
}

/// Why the cache did not answer, or did not store.
///
/// The texts are logged. They never quote a reply in full, because an error reply can contain the command, and with it personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("no answer in time{}", .0.map(|waited| waited.to_string()).unwrap_or_default())]
    Timeout(Option<Waited>),
    /// The connection is still being opened.
    #[error("no connection in time")]
    Connecting,
    /// The reason is the operating system's or the TLS library's: `Connection refused`, `invalid peer certificate: UnknownIssuer`…
    #[error("connection lost or refused ({0})")]
    Connection(String),
    #[error("authentication failed")]
    Authentication,
    /// The service refuses this caller, or has no such table: `AccessDeniedException`, `ExpiredTokenException`…
    #[error("access refused ({0})")]
    Refused(String),
    #[error("the key holds another type (WRONGTYPE)")]
    WrongType,
    /// No reply to this command: one was lost or came twice, so that later ones on the connection belong to other commands, too.
    #[error("a reply to another command")]
    Misdirected,
    /// Any other error reply, by its code: `OOM`, `READONLY`, `LOADING`…
    #[error("error reply {0}")]
    Reply(String),
    #[error("skipped: too many writes in flight")]
    Busy,
    #[error("skipped: circuit breaker open")]
    Paused,
    /// Skipped, or not waited for.
    #[error("the invocation was about to end")]
    OutOfTime,
}

impl Fault {
    /// Converts a fault while connecting: after an error reply (too many clients, no such database), there is no connection.
    pub(crate) fn while_connecting(self) -> Self {
        match self {
            Self::Reply(code) => Self::Connection(code),
            fault => fault,
        }
    }

    /// Whether the server refuses because it is not, or not yet, a primary. After a failover, an open connection can lead to such a server
    /// although the address already leads to another.
    pub(crate) fn is_of_a_replica(&self) -> bool {
        matches!(self, Self::Reply(code) if matches!(&**code, "READONLY" | "LOADING" | "MASTERDOWN" | "NOREPLICAS"))
    }

    /// Whether the connection is unusable after this fault. An error reply leaves it usable.
    pub(crate) fn breaks_connection(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Connection(_) | Self::Authentication | Self::Refused(_) => true,
            Self::Connecting
            | Self::WrongType
            | Self::Misdirected
            | Self::Reply(_)
            | Self::Busy
            | Self::Paused
            | Self::OutOfTime => false,
        }
    }
}
