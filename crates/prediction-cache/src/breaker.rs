//! A circuit breaker: an unavailable Redis is tried once per second instead of once per request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::Fault;

/// How long to pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// How long an outage is believed in without a probe: a thread that has no requests makes none.
const BELIEF: Duration = Duration::from_secs(60);

/// When closed, it lets everything through. A connection fault opens it; then it lets one request per [`PAUSE`] through, the
/// probe, whose success closes it. An error reply is an answer: it leaves the breaker closed.
///
/// The probe extends the pause when it starts, not when it ends, so a cancelled probe leaves no state
/// behind. A request that ends while the connection is still being opened has seen neither success nor failure; how the opening
/// ends decides in its place.
pub(super) struct CircuitBreaker {
    /// What is asked, for the log: `lookups` or `writes`.
    commands: &'static str,
    state: Mutex<State>,
    /// Whether the log's last word is that the cache is not available. The threads of a process have one log, and one outage
    /// concerns all of them.
    told: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    paused_until: Option<Instant>,
    answered_at: Option<Instant>,
    /// The last request ended before the connection was open, and nothing has been paused since.
    awaits_opening: bool,
}

impl CircuitBreaker {
    pub(super) fn new(commands: &'static str) -> Self {
        Self { commands, state: Mutex::default(), told: Arc::default() }
    }

    /// A closed breaker for the same commands on another thread's connection.
    pub(super) fn for_another_worker(&self) -> Self {
        Self { commands: self.commands, state: Mutex::default(), told: Arc::clone(&self.told) }
    }

    /// Whether to ask now.
    pub(super) fn allows(&self) -> bool {
        let now = Instant::now();
        match &mut self.state.lock().paused_until {
            None => true,
            Some(until) if now < *until => false,
            Some(until) => {
                *until = now + PAUSE;
                true
            }
        }
    }

    /// Whether only probes are let through, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.state.lock().paused_until.is_some_and(|until| Instant::now() < until + BELIEF)
    }

    /// Notes that a request that started at `began` failed, and logs it if that is new. If another request has been answered
    /// since, the connection failed and not the cache: nothing is paused.
    pub(super) fn failed(&self, fault: &Fault, began: Instant) {
        let mut state = self.state.lock();
        if state.answered_at.is_some_and(|answered| answered > began) {
            return;
        }
        state.awaits_opening = false;
        if state.paused_until.replace(Instant::now() + PAUSE).is_none() && !self.told.swap(true, Relaxed) {
            let commands = self.commands;
            tracing::warn!(%fault, "the cache is not available for {commands}; trying once per second until it is");
        }
    }

    /// Notes that a request ended before the connection was open.
    pub(super) fn ended_before_opening(&self) {
        self.state.lock().awaits_opening = true;
    }

    /// Notes that a connection is open: if a request waited for it in vain, the next one may ask in its place.
    pub(super) fn opened(&self) {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.awaits_opening)
            && let Some(until) = &mut state.paused_until
        {
            *until = Instant::now();
        }
    }

    /// Notes that the cache answered, and logs it if that is new.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock();
        state.answered_at = Some(Instant::now());
        if state.paused_until.take().is_some() && self.told.swap(false, Relaxed) {
            tracing::info!("the cache is available again for {}", self.commands);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> CircuitBreaker {
        CircuitBreaker::new("lookups")
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_pauses_everything_but_one_probe_per_second_until_one_is_answered() {
        let breaker = breaker();
        assert!(breaker.allows() && breaker.allows());
        breaker.failed(&Fault::Timeout, Instant::now());
        assert!(!breaker.allows());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.allows(), "the probe");
        assert!(!breaker.allows(), "one probe");
        // The probe is cancelled: it reports nothing.
        tokio::time::advance(PAUSE).await;
        assert!(breaker.allows(), "the next probe");
        breaker.answered();
        assert!(breaker.allows() && breaker.allows());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_opens_after_its_probe_has_ended_admits_one_other() {
        let breaker = breaker();
        breaker.failed(&Fault::Timeout, Instant::now());
        breaker.opened();
        assert!(!breaker.allows(), "no probe has waited for it");
        tokio::time::advance(PAUSE).await;
        assert!(breaker.allows(), "the probe");
        breaker.ended_before_opening();
        assert!(!breaker.allows(), "it is still being opened");
        breaker.opened();
        assert!(breaker.allows(), "the one that asks in its place");
        assert!(!breaker.allows(), "one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_opens_late_does_not_end_a_newer_pause() {
        let breaker = breaker();
        assert!(breaker.allows());
        breaker.ended_before_opening();
        breaker.failed(&Fault::Timeout, Instant::now());
        breaker.opened();
        assert!(!breaker.allows());
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_beside_a_later_answer_pauses_nothing() {
        let breaker = breaker();
        let began = Instant::now();
        tokio::time::advance(Duration::from_millis(10)).await;
        breaker.answered();
        breaker.failed(&Fault::Timeout, began);
        assert!(breaker.allows());
        tokio::time::advance(Duration::from_millis(10)).await;
        breaker.failed(&Fault::Timeout, Instant::now());
        assert!(!breaker.allows());
    }
}
