//! A circuit breaker: a Redis that does not answer is asked once per second, and not once per request.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Fault;

/// How long nothing is asked after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Closed, it lets everything through. A fault of the connection opens it; then it lets one request through per [`PAUSE`],
/// the probe, whose success closes it. An error reply is an answer: it leaves the breaker closed.
///
/// The probe moves the end of the pause when it starts and not when it ends, so that one that is cancelled leaves nothing
/// behind.
#[derive(Default)]
pub(super) struct CircuitBreaker {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    paused_until: Option<Instant>,
    answered_at: Option<Instant>,
}

impl CircuitBreaker {
    /// Whether to ask now.
    pub(super) fn allows(&self) -> bool {
        let now = Instant::now();
        match &mut self.state().paused_until {
            None => true,
            Some(until) if now < *until => false,
            Some(until) => {
                *until = now + PAUSE;
                true
            }
        }
    }

    /// Notes that a request that was begun at `began` failed, and says so in the log when that is new. If another has been
    /// answered since, it was a connection that failed and not the cache: nothing is paused.
    pub(super) fn failed(&self, fault: &Fault, began: Instant) {
        let mut state = self.state();
        if state.answered_at.is_some_and(|answered| answered > began) {
            return;
        }
        if state.paused_until.replace(Instant::now() + PAUSE).is_none() {
            tracing::warn!(%fault, "the cache is not available; asking it once per second until it is");
        }
    }

    /// Notes that a request ended without an answer or a failure: the next one may ask in its place.
    pub(super) fn undecided(&self) {
        if let Some(until) = &mut self.state().paused_until {
            *until = Instant::now();
        }
    }

    /// Notes that the cache answered, and says so in the log when that is new.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        state.answered_at = Some(Instant::now());
        if state.paused_until.take().is_some() {
            tracing::info!("the cache is available again");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fault_pauses_everything_but_one_probe_per_second_until_one_is_answered() {
        let breaker = CircuitBreaker::default();
        assert!(breaker.allows() && breaker.allows());
        breaker.failed(&Fault::Timeout, Instant::now());
        assert!(!breaker.allows());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.allows(), "the probe");
        assert!(!breaker.allows(), "one probe");
        // The probe is cancelled: it reports nothing.
        tokio::time::advance(PAUSE).await;
        assert!(breaker.allows(), "the next probe");
        breaker.undecided();
        assert!(breaker.allows(), "it had no result, and another takes its place");
        assert!(!breaker.allows(), "one again");
        breaker.answered();
        assert!(breaker.allows() && breaker.allows());
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_beside_a_later_answer_pauses_nothing() {
        let breaker = CircuitBreaker::default();
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
