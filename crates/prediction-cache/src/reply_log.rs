//! Logs error replies when they start and when they end, not once per request.

use parking_lot::Mutex;

use crate::Fault;

/// Remembers the last error reply to lookups or to writes.
pub(super) struct ReplyLog {
    /// `lookups` or `writes`, for the log.
    commands: &'static str,
    last_error: Mutex<Option<Fault>>,
}

impl ReplyLog {
    pub(super) fn new(commands: &'static str) -> Self {
        Self { commands, last_error: Mutex::default() }
    }

    /// Logs a reply that differs from the last one.
    pub(super) fn error(&self, reply: &Fault) {
        let mut last = self.last_error.lock();
        if last.as_ref() != Some(reply) {
            tracing::warn!(fault = %reply, "the cache refuses {}", self.commands);
            *last = Some(reply.clone());
        }
    }

    /// Logs the end of error replies.
    pub(super) fn success(&self) {
        if self.last_error.lock().take().is_some() {
            tracing::info!("the cache accepts {} again", self.commands);
        }
    }
}
