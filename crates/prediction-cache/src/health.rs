//! Whether a store answers lookups or writes: their circuit breaker and the log of error replies.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{Fault, breaker::CircuitBreaker, reply_log::ReplyLog};

/// Lookups and writes have one each, so that lookups continue while a store delays or refuses writes.
pub(crate) struct Health {
    pub(crate) breaker: Arc<CircuitBreaker>,
    replies: Arc<ReplyLog>,
}

impl Health {
    /// `commands` is `lookups` or `writes`.
    pub(crate) fn new(commands: &'static str) -> Self {
        Self { breaker: Arc::new(CircuitBreaker::new(commands)), replies: Arc::new(ReplyLog::new(commands)) }
    }

    /// The health of another thread's connections. An outage is logged once for all threads.
    pub(crate) fn for_another_worker(&self) -> Self {
        Self { breaker: Arc::new(self.breaker.for_another_worker()), replies: Arc::clone(&self.replies) }
    }

    /// Reports the result of a command that started at `began`.
    pub(crate) fn record<T>(&self, answer: &Result<T, Fault>, began: Instant) {
        match answer {
            Ok(_) => {
                self.breaker.answered();
                self.replies.success();
            }
            Err(Fault::Misdirected) => self.breaker.answered(),
            Err(Fault::Connecting) => self.breaker.ended_before_opening(began),
            Err(fault) if fault.breaks_connection() => self.breaker.failed(fault, began),
            Err(reply) => {
                self.breaker.answered();
                self.replies.error(reply);
            }
        }
    }
}
