//! A circuit breaker: probes an unavailable store once per second instead of once per request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{BreakerState, Fault};

/// The time from a failure to the first probe, and between probes.
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// How long the breaker is reported as open without a probe: a thread without requests does not probe.
const REPORTED_OPEN: Duration = Duration::from_secs(60);

/// A closed breaker lets every request through. A connection fault opens it; an open breaker lets one request per [`PROBE_INTERVAL`]
/// through, the probe, whose success closes it. An error reply does not open it, because the store answered.
///
/// A probe extends the pause when it starts, not when it ends, so a cancelled probe leaves no state behind. A request that ends while
/// the connection is still being opened is neither success nor failure; the result of connecting counts instead. Until it is known, other
/// requests do not wait for the same connection.
pub(super) struct CircuitBreaker {
    /// `lookups` or `writes`, for the log.
    commands: &'static str,
    state: Mutex<State>,
    /// Whether the start of an outage has been logged, but not its end. Shared by all threads, so that each outage is logged once.
    outage_logged: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    paused_until: Option<Instant>,
    answered_at: Option<Instant>,
    opened_at: Option<Instant>,
    /// The last request ended before the connection was open, and no failure has been recorded since.
    awaits_opening: bool,
}

impl CircuitBreaker {
    pub(super) fn new(commands: &'static str) -> Self {
        Self { commands, state: Mutex::default(), outage_logged: Arc::default() }
    }

    /// A new, closed breaker for another thread's connection.
    pub(super) fn for_another_worker(&self) -> Self {
        Self { commands: self.commands, state: Mutex::default(), outage_logged: Arc::clone(&self.outage_logged) }
    }

    /// Whether a request may go to the store now.
    pub(super) fn allows(&self) -> bool {
        let now = Instant::now();
        match &mut self.state.lock().paused_until {
            None => true,
            Some(until) if now < *until => false,
            Some(until) => {
                *until = now + PROBE_INTERVAL;
                true
            }
        }
    }

    /// Whether only probes are let through, as of the last probe.
    pub(super) fn state(&self) -> BreakerState {
        let paused_until = self.state.lock().paused_until;
        let is_open = paused_until.is_some_and(|until| Instant::now() < until + REPORTED_OPEN);
        BreakerState { commands: self.commands, is_open }
    }

    /// Records the failure of a request that started at `began`, and logs the start of an outage. If another request has been
    /// answered since `began`, only the connection failed: the breaker stays as it is.
    pub(super) fn failed(&self, fault: &Fault, began: Instant) {
        let mut state = self.state.lock();
        if state.answered_at.is_some_and(|answered| answered > began) {
            return;
        }
        state.awaits_opening = false;
        state.paused_until = Some(Instant::now() + PROBE_INTERVAL);
        if !self.outage_logged.swap(true, Relaxed) {
            let commands = self.commands;
            tracing::warn!(%fault, "the cache is unavailable for {commands}; probing it once per second");
        }
    }

    /// Records that a request that started at `began` ended before the connection was open, or too soon after it for an answer. Pauses
    /// the others until the connection is open.
    pub(super) fn ended_before_opening(&self, began: Instant) {
        let mut state = self.state.lock();
        if state.opened_at.is_some_and(|opened| opened >= began) {
            return;
        }
        state.awaits_opening = true;
        state.paused_until.get_or_insert_with(|| Instant::now() + PROBE_INTERVAL);
    }

    /// Records that a connection was opened: if a request ended before that, the next one may probe at once.
    pub(super) fn opened(&self) {
        let mut state = self.state.lock();
        state.opened_at = Some(Instant::now());
        if std::mem::take(&mut state.awaits_opening)
            && let Some(until) = &mut state.paused_until
        {
            *until = Instant::now();
        }
    }

    /// Records an answer, and logs the end of an outage.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock();
        state.answered_at = Some(Instant::now());
        if state.paused_until.take().is_some() && self.outage_logged.swap(false, Relaxed) {
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
        breaker.failed(&Fault::Timeout(None), Instant::now());
        assert!(!breaker.allows());
        tokio::time::advance(PROBE_INTERVAL).await;
        assert!(breaker.allows(), "the probe");
        assert!(!breaker.allows(), "one probe");
        // The probe is cancelled: it reports nothing.
        tokio::time::advance(PROBE_INTERVAL).await;
        assert!(breaker.allows(), "the next probe");
        breaker.answered();
        assert!(breaker.allows() && breaker.allows());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_opens_after_its_probe_has_ended_admits_one_more_probe() {
        let breaker = breaker();
        breaker.failed(&Fault::Timeout(None), Instant::now());
        breaker.opened();
        assert!(!breaker.allows(), "no probe has waited for the connection");
        tokio::time::advance(PROBE_INTERVAL).await;
        assert!(breaker.allows(), "the probe");
        breaker.ended_before_opening(Instant::now());
        assert!(!breaker.allows(), "the connection is still being opened");
        breaker.opened();
        assert!(breaker.allows(), "a probe in its place");
        assert!(!breaker.allows(), "one probe");
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_connection_is_being_opened_only_the_first_requests_wait_for_it() {
        let breaker = breaker();
        assert!(breaker.allows() && breaker.allows());
        let began = Instant::now();
        breaker.ended_before_opening(began);
        assert!(!breaker.allows());
        breaker.ended_before_opening(began);
        breaker.opened();
        assert!(breaker.allows(), "the probe");
        breaker.answered();
        breaker.ended_before_opening(began);
        assert!(breaker.allows() && breaker.allows(), "the connection opened after the request had begun");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_opens_late_does_not_end_a_newer_pause() {
        let breaker = breaker();
        assert!(breaker.allows());
        breaker.ended_before_opening(Instant::now());
        breaker.failed(&Fault::Timeout(None), Instant::now());
        breaker.opened();
        assert!(!breaker.allows());
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_beside_a_later_answer_pauses_nothing() {
        let breaker = breaker();
        let began = Instant::now();
        tokio::time::advance(Duration::from_millis(10)).await;
        breaker.answered();
        breaker.failed(&Fault::Timeout(None), began);
        assert!(breaker.allows());
        tokio::time::advance(Duration::from_millis(10)).await;
        breaker.failed(&Fault::Timeout(None), Instant::now());
        assert!(!breaker.allows());
    }
}
