//! A link to Redis: one connection, opened when first needed or ahead of that, reused until it breaks.
//!
//! A Lambda environment is frozen between invocations, and meanwhile its connection can be closed, reset or silently
//! dropped. So no connection is trusted: one that was used before gets only part of a command's time to answer, and when
//! it does not, it is given up and the command is tried once more on a fresh one.

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

/// How long opening a connection may take at least: name resolution, TCP and the greeting. It goes on while commands that
/// wait for it give up, so it does not bound them; and what they are willing to wait, it may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// A connection that is open, or being opened by a task of its own. Awaiting it from any number of requests is one
/// attempt, and a request that gives up waiting does not end the attempt.
type Opening = Shared<BoxFuture<'static, Result<Connection, Fault>>>;

pub(super) struct Link {
    config: Arc<RedisConfig>,
    /// Told how each opening ends.
    breakers: Vec<Arc<CircuitBreaker>>,
    /// Held for a clone or a swap, never across an await.
    current: Mutex<Option<Opening>>,
}

/// How long a command may take.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// In all, connecting and retrying included.
    pub(super) limit: Duration,
    /// On a connection that was open before.
    pub(super) on_open_connection: Duration,
}

impl Link {
    /// Nothing is opened yet.
    pub(super) fn new(config: Arc<RedisConfig>, breakers: Vec<Arc<CircuitBreaker>>) -> Self {
        Self { config, breakers, current: Mutex::default() }
    }

    /// Opens the connection, and waits for it for so long at most.
    pub(super) async fn open_ahead(&self, limit: Duration) {
        let opening = self.connection();
        if let Ok(Err(_)) = timeout(limit, opening.clone()).await {
            self.give_up(&opening);
        }
    }

    /// Runs a command.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Command, patience: Patience) -> Result<T, Fault> {
        let start = Instant::now();
        let opening = self.connection();
        let is_open = opening.clone().now_or_never().is_some();
        let first = if is_open { patience.on_open_connection } else { patience.limit };
        match self.ask_on(&opening, command, start + first).await {
            Err(fault) if fault.breaks_connection() && start.elapsed() < patience.limit => {
                self.ask_on(&self.connection(), command, start + patience.limit).await
            }
            answer => answer,
        }
    }

    async fn ask_on<T: FromRedisValue>(
        &self,
        opening: &Opening,
        command: &Command,
        deadline: Instant,
    ) -> Result<T, Fault> {
        let Ok(opened) = timeout_at(deadline, opening.clone()).await else {
            // Not given up: the next request finds it further on.
            return Err(Fault::Connecting);
        };
        let mut connection = opened.inspect_err(|_| self.give_up(opening))?;
        let answer = match timeout_at(deadline, connection.run(command)).await {
            Ok(answer) => answer.map_err(Fault::from),
            Err(_) => Err(Fault::Timeout),
        };
        if answer.as_ref().is_err_and(Fault::breaks_connection) {
            self.give_up(opening);
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
            let opened = timeout(limit, config.open()).await.unwrap_or(Err(Fault::Timeout)).map_err(Fault::of_opening);
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

    /// Forgets this connection, unless another has taken its place. A request that still waits on it keeps it open: a slow
    /// write is not lost because a read behind it lost patience.
    fn give_up(&self, broken: &Opening) {
        let mut current = self.current.lock();
        if current.as_ref().is_some_and(|opening| opening.ptr_eq(broken)) {
            current.take();
        }
    }
}
