//! A link to Redis: one connection, opened on first use or ahead of it, and reused until it breaks or gets old.
//!
//! A Lambda environment is frozen between invocations, and meanwhile its connection can be closed, reset or silently dropped.
//! Therefore an open connection gets only part of a command's deadline to answer, if the rest suffices to open another. If it does not
//! answer, it is dropped, and the command is retried once on a new one.
//!
//! A failover moves the name of a primary to another server, and can leave the old one behind as a replica whose connections stay open.
//! Therefore an error reply of a replica also leads to a new connection, which resolves the name again, and so does a connection's age.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use ::redis::Value;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    cluster::KnownNodes,
    config::RedisConfig,
    connection::{Command, Connection},
    failovers::Failovers,
};
use crate::{
    Fault, Waited,
    breaker::{CircuitBreaker, PROBE_INTERVAL},
};

/// Opens connections, and replaces them.
pub(super) struct Link {
    config: Arc<RedisConfig>,
    /// Notified of the result of each attempt to connect.
    breakers: Vec<Arc<CircuitBreaker>>,
    /// Shared by the links of a store.
    failovers: Arc<Failovers>,
    known_nodes: KnownNodes,
    /// Held for a clone or a swap, never across an await.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Attempt>>,
    /// Takes the place of the current connection once it is open, so that no command waits for it.
    successor: Option<Arc<Attempt>>,
    /// When to open a successor.
    renewal: Option<Instant>,
    /// The failovers that the current connection, or its successor, was opened after.
    failovers: u64,
    /// Until when no connection is opened, and the fault that the last one had.
    pause: Option<(Instant, Fault)>,
}

/// A connection that is open, or being opened by its own task. All requests that await it share one attempt, and a request that stops
/// waiting does not cancel the attempt.
struct Attempt {
    connection: Shared<BoxFuture<'static, Result<Opened, Fault>>>,
    began: Instant,
    /// Whether the server has answered a command.
    answered: AtomicBool,
}

#[derive(Clone)]
struct Opened {
    connection: Connection,
    at: Instant,
    /// How long opening took.
    took: Duration,
}

/// Timeouts of a command.
#[derive(Clone, Copy)]
pub(super) struct Timeouts {
    /// Includes connecting and retrying.
    pub(super) total: Duration,
    /// For the first attempt, on a connection that was already open.
    pub(super) on_open_connection: Duration,
}

impl Attempt {
    /// The connection, or why there is none. `None` while it is being opened.
    fn result(&self) -> Option<Result<Opened, Fault>> {
        self.connection.clone().now_or_never()
    }
}

impl Opened {
    /// Whether the rest of the deadline suffices to open another connection and to get an answer on it, judging by how long this one took to
    /// open: at least two round trips. If the server is too distant for that, this connection gets the whole deadline.
    fn can_be_replaced_within(&self, timeouts: Timeouts) -> bool {
        timeouts.on_open_connection + self.took * 3 / 2 <= timeouts.total
    }
}

impl Link {
    /// Opens no connection yet.
    pub(super) fn new(
        config: Arc<RedisConfig>,
        breakers: Vec<Arc<CircuitBreaker>>,
        failovers: Arc<Failovers>,
        known_nodes: KnownNodes,
    ) -> Self {
        Self { config, breakers, failovers, known_nodes, state: Mutex::default() }
    }

    /// Opens the connection, and waits for it at most `limit`.
    pub(super) async fn open_ahead(&self, limit: Duration) {
        let Ok(attempt) = self.connection(Instant::now()) else { return };
        if let Ok(Err(fault)) = timeout(limit, attempt.connection.clone()).await {
            self.drop_connection(&attempt, &fault);
        }
    }

    pub(super) async fn run<T>(
        &self,
        command: &Command,
        timeouts: Timeouts,
        convert: impl Fn(Value) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let start = Instant::now();
        let attempt = self.connection(start)?;
        let answer = self.run_on(&attempt, command, start, timeouts, false).await.and_then(&convert);
        let Err(fault) = &answer else { return answer };
        let is_over = start.elapsed() >= timeouts.total;
        if is_over || !(fault.breaks_connection() || self.leaves_replica(&attempt, fault)) {
            return answer;
        }
        match self.connection(Instant::now()) {
            Ok(another) => self.run_on(&another, command, start, timeouts, true).await.and_then(convert),
            Err(_) => answer,
        }
    }

    async fn run_on(
        &self,
        attempt: &Arc<Attempt>,
        command: &Command,
        start: Instant,
        timeouts: Timeouts,
        is_retry: bool,
    ) -> Result<Value, Fault> {
        let mut deadline = start + timeouts.total;
        let opened = match attempt.result() {
            Some(opened) => {
                if !is_retry && opened.as_ref().is_ok_and(|opened| opened.can_be_replaced_within(timeouts)) {
                    deadline = start + timeouts.on_open_connection;
                }
                opened
            }
            // Connecting continues for the next request.
            None => timeout_at(deadline, attempt.connection.clone()).await.map_err(|_| Fault::Connecting)?,
        };
        let Opened { mut connection, at, .. } = opened.inspect_err(|fault| self.drop_connection(attempt, fault))?;
        let answer = match timeout_at(deadline, connection.run(command)).await {
            Ok(answer) => answer.map_err(Fault::from),
            // A connection that opened just before the deadline had no time to answer.
            Err(_) if deadline < at.max(start) + timeouts.on_open_connection.min(timeouts.total * 2 / 5) => {
                return Err(Fault::Connecting);
            }
            Err(_) => Err(Fault::Timeout(Some(Waited {
                time: deadline.min(Instant::now()) - start,
                deadline: timeouts.total,
            }))),
        };
        match &answer {
            Err(fault) if fault.breaks_connection() => self.drop_connection(attempt, fault),
            _ => attempt.answered.store(true, Relaxed),
        }
        answer
    }

    pub(super) fn close(&self) {
        *self.state.lock() = State::default();
    }

    /// The current connection, or a new one. Opens a successor if the current one is too old, or if the store has left its server since.
    ///
    /// # Errors
    ///
    /// The fault of the last connection, if that one never answered and began within [`PROBE_INTERVAL`].
    fn connection(&self, now: Instant) -> Result<Arc<Attempt>, Fault> {
        let mut state = self.state.lock();
        if let Some(Some(result)) = state.successor.as_ref().map(|successor| successor.result()) {
            let successor = state.successor.take();
            match result {
                Ok(_) => state.current = successor,
                // The connection that works stays for another period.
                Err(_) => state.renewal = Some(now + self.age()),
            }
        }
        let failovers = self.failovers.count();
        if let Some(current) = &state.current {
            let current = Arc::clone(current);
            let is_due = state.renewal.is_some_and(|renewal| now >= renewal) || state.failovers != failovers;
            if is_due && state.successor.is_none() {
                state.successor = Some(self.open(now, true));
                state.renewal = Some(now + self.age());
                state.failovers = failovers;
            }
            return Ok(current);
        }
        if let Some(successor) = state.successor.take() {
            state.current = Some(Arc::clone(&successor));
            return Ok(successor);
        }
        if let Some((until, fault)) = &state.pause
            && now < *until
        {
            return Err(fault.clone());
        }
        let attempt = self.open(now, false);
        let current = Some(Arc::clone(&attempt));
        *state = State { current, successor: None, renewal: Some(now + self.age()), failovers, pause: None };
        Ok(attempt)
    }

    /// How long a connection is used: up to a fifth less than the maximum, so that connections that were opened together are not renewed
    /// together.
    fn age(&self) -> Duration {
        let random = RandomState::new().hash_one(()) % 1000;
        self.config.max_age.mul_f64(1.0 - random as f64 / 5000.0)
    }

    /// The failure of a successor is not a fault: the current connection works.
    fn open(&self, began: Instant, is_successor: bool) -> Arc<Attempt> {
        let (config, known_nodes) = (Arc::clone(&self.config), self.known_nodes.clone());
        let breakers = self.breakers.clone();
        let task = tokio::spawn(async move {
            let limit = config.opening_limit();
            let late = || Err(Fault::Connection(format!("not open after {} ms", limit.as_millis())));
            let opened = timeout(limit, config.open_with(&known_nodes)).await.unwrap_or_else(|_| late());
            let opened = opened.map_err(Fault::while_connecting);
            for breaker in breakers {
                match &opened {
                    Ok(_) => breaker.opened(),
                    Err(fault) if !is_successor => breaker.failed(fault, began),
                    Err(_) => {}
                }
            }
            opened.map(|connection| Opened { connection, at: Instant::now(), took: began.elapsed() })
        });
        let connection = async { task.await.unwrap_or_else(|error| Err(Fault::Connection(error.to_string()))) };
        Arc::new(Attempt { connection: connection.boxed().shared(), began, answered: AtomicBool::new(false) })
    }

    /// Stops using this connection, unless it was already replaced. Requests that still wait for it keep it open, so a timed-out read
    /// does not cancel a slow write that was sent before it.
    fn drop_connection(&self, broken: &Arc<Attempt>, fault: &Fault) {
        let mut state = self.state.lock();
        if !state.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, broken)) {
            return;
        }
        let (has_answered, next) = (broken.answered.load(Relaxed), broken.began + PROBE_INTERVAL);
        if has_answered && self.config.cluster && Instant::now() < next {
            // The fault may be one node's, while the others answer.
            return;
        }
        state.current = None;
        state.pause = (!has_answered).then(|| (next, fault.clone()));
    }

    /// Drops the connection after an error reply of a replica, at most once per [`PROBE_INTERVAL`]. Returns whether the command may be
    /// repeated on another one, also because another command has dropped this one already.
    fn leaves_replica(&self, attempt: &Arc<Attempt>, fault: &Fault) -> bool {
        // A cluster's client follows moved slots by itself, except in transactions.
        let is_moved = self.config.cluster && matches!(fault, Fault::Reply(code) if code == "MOVED");
        if !fault.is_of_a_replica() && !is_moved {
            return false;
        }
        let mut state = self.state.lock();
        let is_current = state.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, attempt));
        if is_current && !self.failovers.another() {
            return false;
        }
        state.current.take_if(|_| is_current);
        true
    }
}
