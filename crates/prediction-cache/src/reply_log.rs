//! Logs error replies when they start and when they end, not once per request.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::Fault;

/// An error reply that returns sooner than this is not logged again: where it concerns some keys or some commands only, good replies
/// come in between.
const INTERVAL: Duration = Duration::from_secs(10);

/// Limits the memory of different error replies. Further ones are logged whenever they return.
const MAX_REMEMBERED: usize = 8;

/// Remembers the error replies to lookups or to writes.
pub(super) struct ReplyLog {
    /// `lookups` or `writes`, for the log.
    commands: &'static str,
    errors: Mutex<Errors>,
}

#[derive(Default)]
struct Errors {
    /// The last error reply that was logged, if no good reply has followed.
    last: Option<Fault>,
    /// When each was last logged.
    logged: Vec<(Fault, Instant)>,
}

impl Errors {
    /// Whether to log this reply.
    fn is_news(&mut self, reply: &Fault, now: Instant) -> bool {
        if self.last.as_ref() == Some(reply) {
            return false;
        }
        self.logged.retain(|(_, at)| now.duration_since(*at) < INTERVAL);
        if self.logged.iter().any(|(fault, _)| fault == reply) {
            return false;
        }
        if self.logged.len() < MAX_REMEMBERED {
            self.logged.push((reply.clone(), now));
        }
        self.last = Some(reply.clone());
        true
    }
}

impl ReplyLog {
    pub(super) fn new(commands: &'static str) -> Self {
        Self { commands, errors: Mutex::default() }
    }

    /// Logs a reply that differs from the last one, unless it was logged a moment ago.
    pub(super) fn error(&self, reply: &Fault) {
        if self.errors.lock().is_news(reply, Instant::now()) {
            tracing::warn!(fault = %reply, "the cache refuses {}", self.commands);
        }
    }

    /// Logs the end of error replies.
    pub(super) fn success(&self) {
        if self.errors.lock().last.take().is_some() {
            tracing::info!("the cache accepts {} again", self.commands);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_between_good_replies_are_logged_once_per_interval() {
        let (mut errors, start) = (Errors::default(), Instant::now());
        let mut logged = 0;
        for n in 0..2_000 {
            let fault = if n % 2 == 0 { Fault::WrongType } else { Fault::Paused };
            logged += usize::from(errors.is_news(&fault, start + INTERVAL * n / 1_000));
            errors.last.take();
        }
        assert_eq!(logged, 4, "two faults, in two intervals");
    }

    #[test]
    fn an_error_that_goes_on_is_logged_once() {
        let (mut errors, start) = (Errors::default(), Instant::now());
        let logged = (0..100).filter(|n| errors.is_news(&Fault::WrongType, start + INTERVAL * *n)).count();
        assert_eq!(logged, 1);
    }
}
