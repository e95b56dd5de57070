//! A link to Redis: one connection, opened on first use or ahead of it, and reused until it breaks.
//!
//! A Lambda environment is frozen between invocations, and meanwhile its connection can be closed, reset or silently dropped.
//! Therefore an open connection gets only part of a command's deadline to answer. If it does not, it is dropped, and the command is
//! retried once on a new one.

use std::{sync::Arc, time::Duration};

use ::redis::FromRedisValue;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::{Command, Connection, RedisConfig};
use crate::{Fault, breaker::CircuitBreaker};

/// Minimum connect timeout (name resolution, TCP, TLS, authentication); raised to the command timeout when that is longer. Connecting
/// continues after a waiting command has timed out, so it never delays one.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// A connection that is open, or being opened by its own task. All requests that await it share one attempt, and a request that stops
/// waiting does not cancel the attempt.
type Opening = Shared<BoxFuture<'static, Result<Connection, Fault>>>;

pub(super) struct Link {
    config: Arc<RedisConfig>,
    /// Notified of the result of each attempt to connect.
    breakers: Vec<Arc<CircuitBreaker>>,
    /// Held for a clone or a swap, never across an await.
    current: Mutex<Option<Opening>>,
}

/// Timeouts of a command.
#[derive(Clone, Copy)]
pub(super) struct Timeouts {
    /// Includes connecting and retrying.
    pub(super) total: Duration,
    /// For the first attempt, on a connection that was already open.
    pub(super) on_open_connection: Duration,
}

impl Link {
    /// Opens no connection yet.
    pub(super) fn new(config: Arc<RedisConfig>, breakers: Vec<Arc<CircuitBreaker>>) -> Self {
        Self { config, breakers, current: Mutex::default() }
    }

    /// Opens the connection, and waits for it at most `limit`.
    pub(super) async fn open_ahead(&self, limit: Duration) {
        let opening = self.connection();
        if let Ok(Err(_)) = timeout(limit, opening.clone()).await {
            self.drop_connection(&opening);
        }
    }

    pub(super) async fn run<T: FromRedisValue>(&self, command: &Command, timeouts: Timeouts) -> Result<T, Fault> {
        let start = Instant::now();
        let opening = self.connection();
        let is_open = opening.clone().now_or_never().is_some();
        let first = if is_open { timeouts.on_open_connection } else { timeouts.total };
        match self.run_on(&opening, command, start + first).await {
            Err(fault) if fault.breaks_connection() && start.elapsed() < timeouts.total => {
                self.run_on(&self.connection(), command, start + timeouts.total).await
            }
            answer => answer,
        }
    }

    async fn run_on<T: FromRedisValue>(
        &self,
        opening: &Opening,
        command: &Command,
        deadline: Instant,
    ) -> Result<T, Fault> {
        let Ok(opened) = timeout_at(deadline, opening.clone()).await else {
            // Connecting continues for the next request.
            return Err(Fault::Connecting);
        };
        let mut connection = opened.inspect_err(|_| self.drop_connection(opening))?;
        let answer = match timeout_at(deadline, connection.run(command)).await {
            Ok(answer) => answer.map_err(Fault::from),
            Err(_) => Err(Fault::Timeout),
        };
        if answer.as_ref().is_err_and(Fault::breaks_connection) {
            self.drop_connection(opening);
        }
        answer
    }

    pub(super) fn close(&self) {
        self.current.lock().take();
    }

    /// The current connection, or a new one.
    fn connection(&self) -> Opening {
        self.current.lock().get_or_insert_with(|| self.open()).clone()
    }

    fn open(&self) -> Opening {
        let config = Arc::clone(&self.config);
        let breakers = self.breakers.clone();
        let limit = CONNECT_TIMEOUT.max(config.read_timeout).max(config.write_timeout);
        let task = tokio::spawn(async move {
            let began = Instant::now();
            let opened =
                timeout(limit, config.open()).await.unwrap_or(Err(Fault::Timeout)).map_err(Fault::while_connecting);
            for breaker in breakers {
                match &opened {
                    Ok(_) => breaker.opened(),
                    Err(fault) => breaker.failed(fault, began),
                }
            }
            opened
        });
        async { task.await.unwrap_or_else(|error| Err(Fault::Connection(error.to_string()))) }.boxed().shared()
    }

    /// Stops using this connection, unless it was already replaced. Requests that still wait for it keep it open, so a timed-out read
    /// does not cancel a slow write that was sent before it.
    fn drop_connection(&self, broken: &Opening) {
        let mut current = self.current.lock();
        if current.as_ref().is_some_and(|opening| opening.ptr_eq(broken)) {
            current.take();
        }
    }
}
