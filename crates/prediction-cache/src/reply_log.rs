//! Logs error replies once when they start and once when they end, not once per request.

use parking_lot::Mutex;

use crate::Fault;

/// The last reply to commands of one kind.
pub(super) struct ReplyLog {
    /// The kind of command, for the log: `lookups` or `writes`.
    commands: &'static str,
    last_bad: Mutex<Option<Fault>>,
}

impl ReplyLog {
    pub(super) fn new(commands: &'static str) -> Self {
        Self { commands, last_bad: Mutex::default() }
    }

    /// Notes an error reply.
    pub(super) fn bad(&self, reply: &Fault) {
        let mut last = self.last_bad.lock();
        if last.as_ref() != Some(reply) {
            tracing::warn!(fault = %reply, "the cache refuses {}", self.commands);
            *last = Some(reply.clone());
        }
    }

    /// Notes a reply that is no error.
    pub(super) fn good(&self) {
        if self.last_bad.lock().take().is_some() {
            tracing::info!("the cache accepts {} again", self.commands);
        }
    }
}
