//! The cache in Redis: one connection, opened when first needed, reused until it breaks.
//!
//! A Lambda environment is frozen between invocations, and meanwhile its connection can be closed, reset or silently
//! dropped. So no connection is trusted: one that was used before gets only part of a lookup's time to answer, and when
//! it does not, it is given up and the lookup is tried once more on a fresh one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::redis::{Cmd, ErrorKind, FromRedisValue, RedisError};
use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

use super::{
    CacheKey, Lookup, Tier,
    breaker::CircuitBreaker,
    connection::{Connection, RedisConfig},
    reply_log::ReplyLog,
};

/// How long opening a connection may take at least: name resolution, TCP and the greeting. It goes on while lookups that
/// wait for it give up, so it does not bound them; and what they are willing to wait, it may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// How many writes may be under way at once. One is a response's, and under Lambda there is one response at a time; a local
/// server in front of a slow Redis must not pile them up.
const MOST_WRITES: usize = 256;

/// Why Redis did not do what it was asked.
///
/// The texts go to the log. They hold nothing that Redis or the network said at length, since an error reply can quote
/// the command, and with it an applicant's data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection is still being opened.
    #[error("no connection in time")]
    Connecting,
    /// The connection could not be opened, or broke.
    #[error("connection lost or refused ({0})")]
    Connection(String),
    /// Redis does not accept the credentials.
    #[error("authentication failed")]
    Authentication,
    /// The key holds another Redis type.
    #[error("the key holds another type (WRONGTYPE)")]
    WrongType,
    /// Any other error reply, by its code: `OOM`, `READONLY`, `LOADING`…
    #[error("error reply {0}")]
    Reply(String),
    /// It was not asked: too many writes are under way.
    #[error("not asked, since too many writes are under way")]
    Busy,
    /// It was not asked: it did not answer a moment ago.
    #[error("not asked, since it did not answer before")]
    Paused,
}

impl Fault {
    /// Whether the connection is of no use afterwards. An error reply leaves it intact.
    fn breaks_connection(&self) -> bool {
        matches!(self, Self::Timeout | Self::Connection(_) | Self::Authentication)
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        let code = error.code().unwrap_or_default().to_owned();
        match (error.kind(), code.as_str()) {
            (_, "WRONGTYPE") => Self::WrongType,
            (_, "NOAUTH" | "WRONGPASS") | (ErrorKind::AuthenticationFailed, _) => Self::Authentication,
            (ErrorKind::Server(_) | ErrorKind::Extension, _) => Self::Reply(code),
            _ if error.is_timeout() => Self::Timeout,
            // What is left is the network's doing, or an answer that is no Redis protocol.
            _ => Self::Connection(error.category().to_owned()),
        }
    }
}

/// A connection that is open, or being opened by a task of its own. Awaiting it from any number of requests is one
/// attempt, and a request that gives up waiting does not end the attempt.
type Opening = Shared<BoxFuture<'static, Result<Connection, Fault>>>;

/// Predictions in Redis Strings.
pub struct RedisCache {
    config: Arc<RedisConfig>,
    /// The connection of now, and when its opening began. A std mutex: it is held for a clone or a swap, never across an
    /// await.
    current: Mutex<Option<(Opening, Instant)>>,
    writes: Semaphore,
    breaker: CircuitBreaker,
    read_replies: ReplyLog,
    write_replies: ReplyLog,
}

impl RedisCache {
    /// Nothing is opened yet.
    ///
    /// # Errors
    ///
    /// If the address or the certificates are of a kind that the client does not know.
    pub fn new(config: RedisConfig) -> Result<Self, Fault> {
        config.prepare()?;
        Ok(Self {
            config: Arc::new(config),
            current: Mutex::new(None),
            writes: Semaphore::new(MOST_WRITES),
            breaker: CircuitBreaker::default(),
            read_replies: ReplyLog::new("lookups"),
            write_replies: ReplyLog::new("writes"),
        })
    }

    pub(super) async fn get(&self, key: &CacheKey) -> Lookup {
        if !self.breaker.allows() {
            return Lookup::Unavailable(Fault::Paused);
        }
        let mut get = ::redis::cmd("GET");
        get.arg(key.as_str());
        // Enough of the deadline remains to open another connection and ask there.
        let patience = self.config.read_timeout * 2 / 5;
        let began = Instant::now();
        let answer = self.ask::<Option<Vec<u8>>>(&get, patience, self.config.read_timeout).await;
        if matches!(answer, Err(Fault::Connecting)) {
            // The write after the response goes on waiting for it, and decides.
            self.breaker.undecided();
        } else {
            self.note(&answer, began, &self.read_replies);
        }
        match answer {
            Ok(Some(value)) => Lookup::Hit(value.into(), Tier::Redis),
            Ok(None) => Lookup::Miss,
            Err(Fault::WrongType) => Lookup::Foreign,
            Err(fault) => Lookup::Unavailable(fault),
        }
    }

    pub(super) async fn put(&self, key: &CacheKey, value: &Bytes, time_left: Option<Duration>) -> Result<(), Fault> {
        if !self.breaker.allows() {
            return Err(Fault::Paused);
        }
        let Ok(_under_way) = self.writes.try_acquire() else { return Err(Fault::Busy) };
        let mut set = ::redis::cmd("SET");
        set.arg(key.as_str()).arg(&value[..]).arg("EX").arg(self.config.ttl.as_secs());
        let limit = self.config.write_timeout.min(time_left.unwrap_or(Duration::MAX));
        let began = Instant::now();
        let answer = self.ask::<()>(&set, limit, limit).await;
        // A write that the invocation's end cut short says nothing about Redis.
        if answer.is_ok() || limit == self.config.write_timeout {
            self.note(&answer, began, &self.write_replies);
        }
        answer
    }

    pub(super) fn close(&self) {
        self.current().take();
    }

    /// Tells the breaker and the log what became of a command that was begun at `began`.
    fn note<T>(&self, answer: &Result<T, Fault>, began: Instant, replies: &ReplyLog) {
        match answer {
            Ok(_) => {
                self.breaker.answered();
                replies.good();
            }
            Err(fault) if fault.breaks_connection() || *fault == Fault::Connecting => self.breaker.failed(fault, began),
            Err(reply) => {
                self.breaker.answered();
                replies.bad(reply);
            }
        }
    }

    /// Runs a command within `limit`. A connection that was open before gets `patience` of it.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd, patience: Duration, limit: Duration) -> Result<T, Fault> {
        let start = Instant::now();
        let opening = self.connection();
        let is_open = opening.clone().now_or_never().is_some();
        match self.ask_on(&opening, command, start + if is_open { patience } else { limit }).await {
            Err(fault) if fault.breaks_connection() && start.elapsed() < limit => {
                self.ask_on(&self.connection(), command, start + limit).await
            }
            answer => answer,
        }
    }

    async fn ask_on<T: FromRedisValue>(&self, opening: &Opening, command: &Cmd, deadline: Instant) -> Result<T, Fault> {
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

    /// The connection of now, or the start of one.
    fn connection(&self) -> Opening {
        let mut current = self.current();
        if let (Some((_, began)), Some(max_age)) = (&*current, self.config.max_connection_age)
            && began.elapsed() >= max_age
        {
            current.take();
        }
        let (opening, _) = current.get_or_insert_with(|| {
            let config = Arc::clone(&self.config);
            let limit = CONNECT_TIMEOUT.max(config.read_timeout).max(config.write_timeout);
            let task = tokio::spawn(async move { timeout(limit, config.open()).await.unwrap_or(Err(Fault::Timeout)) });
            let opened = async { task.await.unwrap_or_else(|error| Err(Fault::Connection(error.to_string()))) };
            (opened.boxed().shared(), Instant::now())
        });
        opening.clone()
    }

    /// Forgets this connection, unless another has taken its place. A request that still waits on it keeps it open: a slow
    /// write is not lost because a read behind it lost patience.
    fn give_up(&self, broken: &Opening) {
        let mut current = self.current();
        if current.as_ref().is_some_and(|(opening, _)| opening.ptr_eq(broken)) {
            current.take();
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<(Opening, Instant)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
