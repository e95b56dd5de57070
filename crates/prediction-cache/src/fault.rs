//! Why the cache did not answer.

/// Why the cache did not answer, or did not store.
///
/// The texts are logged. They never quote the store or the network at length: an error reply can contain the command, and with it
/// personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection is still being opened.
    #[error("no connection in time")]
    Connecting,
    /// The connection could not be opened, or broke.
    #[error("connection lost or refused ({0})")]
    Connection(String),
    /// Redis does not accept the credentials.
    #[error("authentication failed")]
    Authentication,
    /// The key holds another Redis type.
    #[error("the key holds another type (WRONGTYPE)")]
    WrongType,
    /// Any other error reply, by its code: `OOM`, `READONLY`, `LOADING`…
    #[error("error reply {0}")]
    Reply(String),
    /// Not asked: too many writes are under way.
    #[error("not asked, since too many writes are under way")]
    Busy,
    /// Not asked: it did not answer a moment ago.
    #[error("not asked, since it did not answer before")]
    Paused,
    /// Not asked, or not waited for: the invocation was about to end.
    #[error("the invocation ended first")]
    OutOfTime,
}

impl Fault {
    /// What it is when it ends the opening of a connection: an error reply to the greeting, such as that there are too many clients or no
    /// such database, leaves no connection.
    pub(crate) fn of_opening(self) -> Self {
        match self {
            Self::Reply(code) => Self::Connection(code),
            fault => fault,
        }
    }

    /// Whether the connection is unusable afterwards. An error reply leaves it intact.
    pub(crate) fn breaks_connection(&self) -> bool {
        matches!(self, Self::Timeout | Self::Connection(_) | Self::Authentication)
    }
}
