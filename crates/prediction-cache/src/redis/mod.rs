//! The store in Redis: looks up and stores entries within deadlines.

mod cluster;
mod config;
mod connection;
mod failovers;
mod iam;
mod link;
mod reply;

use std::{sync::Arc, time::Duration};

use ::redis::{Cmd, Value};
use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use parking_lot::Mutex;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use self::{
    cluster::KnownNodes,
    connection::Command,
    failovers::Failovers,
    link::{Link, Timeouts},
    reply::{to_lookup, to_written, without_answer},
};
pub use self::{
    config::{ClientCertificate, RedisConfig},
    connection::Connection,
    iam::{IamError, IamTokens},
};
use crate::{BreakerState, CacheKey, Fault, Lookup, Store, Tier, breaker::CircuitBreaker, health::Health, ttl::spread};

/// The limit of concurrent writes. Writes run after the response, so a slow Redis would let them pile up.
const MAX_WRITES: usize = 256;

/// The number of Hash fields per transaction. A transaction blocks Redis.
const TRANSACTION_SIZE: usize = 100;

/// The shortest time between two connections that are dropped because a value belonged to another key.
const DISTRUST_INTERVAL: Duration = Duration::from_secs(1);

/// A store in Redis for one thread, because a connection belongs to the runtime that opened it.
pub struct RedisStore {
    config: Arc<RedisConfig>,
    reads: Lane,
    writes: Lane,
    write_permits: Semaphore,
    /// Shared by all workers.
    known_nodes: KnownNodes,
}

/// The lookups or the writes. Each lane has its own breaker, so that lookups continue while Redis delays writes (a failover).
struct Lane {
    link: Arc<Link>,
    health: Health,
    distrusted_at: Mutex<Option<Instant>>,
}

impl RedisStore {
    /// Opens no connection yet.
    ///
    /// # Errors
    ///
    /// If the client does not support the address or the certificates.
    pub fn new(config: RedisConfig) -> Result<Self, Fault> {
        config.prepare()?;
        Ok(Self::with(Arc::new(config), ["lookups", "writes"].map(Health::new), KnownNodes::default()))
    }

    fn with(config: Arc<RedisConfig>, health: [Health; 2], known_nodes: KnownNodes) -> Self {
        let breakers = health.each_ref().map(|health| Arc::clone(&health.breaker));
        let failovers = Arc::new(Failovers::default());
        let link = |breakers: &[Arc<CircuitBreaker>]| {
            Arc::new(Link::new(Arc::clone(&config), breakers.to_vec(), Arc::clone(&failovers), known_nodes.clone()))
        };
        let [read_link, write_link] = if config.shared_connection {
            let both = link(&breakers);
            [Arc::clone(&both), both]
        } else {
            [link(&breakers[..1]), link(&breakers[1..])]
        };
        let [of_reads, of_writes] = health;
        Self {
            config,
            reads: Lane::new(read_link, of_reads),
            writes: Lane::new(write_link, of_writes),
            write_permits: Semaphore::new(MAX_WRITES),
            known_nodes,
        }
    }

    async fn get(&self, key: &CacheKey) -> Lookup {
        self.read(&Command::One(get(key)), to_lookup).await.unwrap_or_else(without_answer)
    }

    /// Looks up many entries in one round trip; in a cluster, in one to each node.
    async fn get_many(&self, keys: &[&CacheKey]) -> Vec<Lookup> {
        if self.config.cluster {
            // The keys' slots differ, so `MGET` is not possible. The client batches concurrent commands to each node.
            return join_all(keys.iter().map(|key| self.get(key))).await;
        }
        if let [key] = keys {
            return vec![self.get(key).await];
        }
        let command = if keys.iter().all(|key| key.field().is_none()) {
            let mut mget = ::redis::cmd("MGET");
            mget.arg(keys.iter().map(|key| key.as_str()).collect::<Vec<_>>());
            Command::One(mget)
        } else {
            let mut pipeline = ::redis::Pipeline::with_capacity(keys.len());
            // A key of another type must not fail the others.
            pipeline.ignore_errors();
            for key in keys {
                pipeline.add_command(get(key));
            }
            Command::Many(pipeline)
        };
        let to_lookups = |reply| match reply {
            Value::Array(values) if values.len() == keys.len() => values.into_iter().map(to_lookup).collect(),
            _ => Err(Fault::Misdirected),
        };
        let found: Result<Vec<_>, _> = self.read(&command, to_lookups).await;
        found.unwrap_or_else(|fault| keys.iter().map(|_| without_answer(fault.clone())).collect())
    }

    /// Stores entries. A write cut short by the end of the invocation does not count as a fault of Redis.
    async fn put(&self, entries: &[(&CacheKey, Bytes)], time_left: Option<Duration>) -> Result<(), Fault> {
        let limit = self.config.write_timeout.min(time_left.unwrap_or(Duration::MAX));
        if limit.is_zero() {
            return Err(Fault::OutOfTime);
        }
        if !self.writes.health.breaker.allows() {
            return Err(Fault::Paused);
        }
        let Ok(_permit) = self.write_permits.try_acquire() else { return Err(Fault::Busy) };
        let commands = self.sets(entries);
        let began = Instant::now();
        let timeouts = Timeouts { total: self.config.write_timeout, on_open_connection: self.config.write_timeout };
        let writing = join_all(commands.iter().map(|command| self.writes.link.run(command, timeouts, to_written)));
        let answer = if limit < self.config.write_timeout {
            // This timeout neither drops the connection nor opens the breaker.
            timeout(limit, writing).await.map_err(|_| Fault::OutOfTime)?
        } else {
            writing.await
        };
        let answer = answer.into_iter().collect();
        self.writes.record(&answer, began);
        answer
    }

    /// The commands that store entries: as few as possible.
    fn sets(&self, entries: &[(&CacheKey, Bytes)]) -> Vec<Command> {
        let ttl = |key: &CacheKey| spread(self.config.ttl, key);
        if let [(key, value)] = entries
            && key.field().is_none()
        {
            return vec![Command::One(set(key, value, ttl(key)))];
        }
        // In a cluster, a transaction or pipeline may only have keys of one slot.
        let chunk_size = if self.config.cluster { 1 } else { TRANSACTION_SIZE };
        let pipeline = |entries: &[(&CacheKey, Bytes)]| {
            let mut pipeline = ::redis::Pipeline::new();
            for (key, value) in entries {
                match key.field() {
                    None => {
                        pipeline.add_command(set(key, value, ttl(key)));
                    }
                    Some(field) => {
                        // Atomic, because a Hash without a time to live would never expire.
                        pipeline.atomic().hset(key.as_str(), field, &value[..]);
                        pipeline.expire(key.as_str(), ttl(key).cast_signed());
                    }
                }
            }
            Command::Many(pipeline)
        };
        entries.chunks(chunk_size).map(pipeline).collect()
    }

    async fn read<T>(&self, command: &Command, convert: impl Fn(Value) -> Result<T, Fault>) -> Result<T, Fault> {
        if !self.reads.health.breaker.allows() {
            return Err(Fault::Paused);
        }
        let limit = self.config.read_timeout;
        // Leaves enough of the deadline to retry on a new connection.
        let timeouts = Timeouts { total: limit, on_open_connection: limit * 2 / 5 };
        let began = Instant::now();
        let answer = self.reads.link.run(command, timeouts, convert).await;
        self.reads.record(&answer, began);
        answer
    }
}

impl Store for RedisStore {
    /// The new store has its own connections, breakers and write limit. An outage is logged once for all workers.
    fn for_another_worker(&self) -> Box<dyn Store> {
        let health = [&self.reads, &self.writes].map(|lane| lane.health.for_another_worker());
        Box::new(Self::with(Arc::clone(&self.config), health, self.known_nodes.clone()))
    }

    /// Opens the connection for lookups, and logs a failure.
    fn open(&self) -> BoxFuture<'_, ()> {
        self.reads.link.open_ahead(self.config.read_timeout).boxed()
    }

    fn lookup<'a>(&'a self, keys: &'a [&'a CacheKey]) -> BoxFuture<'a, Vec<Lookup>> {
        self.get_many(keys).boxed()
    }

    fn store<'a>(
        &'a self,
        entries: &'a [(&'a CacheKey, Bytes)],
        time_left: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        self.put(entries, time_left).boxed()
    }

    fn distrust(&self) {
        self.reads.distrust();
    }

    fn tier(&self) -> Tier {
        Tier::Redis
    }

    fn breakers(&self) -> [BreakerState; 2] {
        [&self.reads, &self.writes].map(|lane| lane.health.breaker.state())
    }

    fn close(&self) {
        self.reads.link.close();
        self.writes.link.close();
    }
}

impl Lane {
    fn new(link: Arc<Link>, health: Health) -> Self {
        Self { link, health, distrusted_at: Mutex::default() }
    }

    /// Drops the connection, whose later replies may belong to other commands, too, unless one was dropped within [`DISTRUST_INTERVAL`].
    fn distrust(&self) {
        let now = Instant::now();
        let mut last = self.distrusted_at.lock();
        if last.is_none_or(|last| now - last >= DISTRUST_INTERVAL) {
            *last = Some(now);
            tracing::warn!("a reply from the cache does not belong to its key: closing the connection");
            self.link.close();
        }
    }

    /// Reports the result of a command that started at `began` to the breaker and the log.
    fn record<T>(&self, answer: &Result<T, Fault>, began: Instant) {
        self.health.record(answer, began);
        if let Err(Fault::Misdirected) = answer {
            self.distrust();
        }
    }
}

fn get(key: &CacheKey) -> Cmd {
    match key.field() {
        None => ::redis::Cmd::get(key.as_str()),
        Some(field) => ::redis::Cmd::hget(key.as_str(), field),
    }
}

fn set(key: &CacheKey, value: &Bytes, ttl: u64) -> Cmd {
    let mut set = ::redis::cmd("SET");
    set.arg(key.as_str()).arg(&value[..]).arg("EX").arg(ttl);
    set
}
