//! The store in DynamoDB: looks up and stores entries within deadlines.
//!
//! An entry is an item: `key`, the partition key; `value`, the bytes; `expires`, in seconds since 1970, the attribute of the table's time
//! to live.

mod protocol;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_client::{Client, Service};
use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use http::{HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until, timeout},
};

use self::protocol::{Found, GetReply, GetRequest, PutReply, PutRequest};
use crate::{BreakerState, CacheKey, Fault, Lookup, Store, Tier, health::Health, ttl::spread};

/// DynamoDB's limits of a request.
const MAX_KEYS: usize = 100;
const MAX_ENTRIES: usize = 25;

/// DynamoDB's limit of an item, less what the names and the time to live take. It counts keys and values in bytes.
const MAX_ITEM_BYTES: usize = 400 * 1024 - 64;

/// DynamoDB's limit of a reply is 16 MB, before base64.
const MAX_REPLY_BYTES: usize = 32 << 20;

/// The limit of concurrent writes. Writes run after the response, so a slow table would let them pile up.
const MAX_WRITES: usize = 256;

/// The pause before keys that DynamoDB has left out are asked for again. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Table, authentication and deadlines.
#[derive(Clone, Debug)]
pub struct DynamoDbConfig {
    pub service: Service,
    pub table: String,
    /// The time to live of an entry.
    pub ttl: Duration,
    /// The deadline of a lookup, connecting and retrying included.
    pub read_timeout: Duration,
    /// The deadline of a write, connecting and retrying included.
    pub write_timeout: Duration,
}

/// A store in a table for one thread, because a connection belongs to the runtime that opened it.
pub struct DynamoDbStore {
    config: Arc<DynamoDbConfig>,
    client: Client,
    reads: Health,
    writes: Health,
    write_permits: Semaphore,
}

impl DynamoDbStore {
    /// Opens no connection yet.
    ///
    /// # Errors
    ///
    /// If a certificate authority is invalid.
    pub fn new(config: DynamoDbConfig) -> Result<Self, Fault> {
        let [reads, writes] = ["lookups", "writes"].map(Health::new);
        let client = Client::new(Arc::new(config.service.clone()), watched_by(&reads, &writes))?;
        Ok(Self { config: Arc::new(config), client, reads, writes, write_permits: Semaphore::new(MAX_WRITES) })
    }

    async fn get_many(&self, keys: &[&CacheKey]) -> Vec<Lookup> {
        let deadline = Instant::now() + self.config.read_timeout;
        join_all(keys.chunks(MAX_KEYS).map(|keys| self.get(keys, deadline))).await.concat()
    }

    /// Looks up at most [`MAX_KEYS`] entries. DynamoDB may leave some out if they are many bytes or requests too many: it is asked for
    /// these again until the deadline.
    async fn get(&self, keys: &[&CacheKey], deadline: Instant) -> Vec<Lookup> {
        let mut found = HashMap::new();
        // DynamoDB refuses a request that names a key twice.
        let mut missing: HashSet<&str> = keys.iter().map(|key| key.as_str()).collect();
        let mut pause = FIRST_PAUSE;
        let fault = loop {
            let request = GetRequest::new(&self.config.table, missing.iter().copied());
            let reply = match self.read(&request, deadline).await {
                Err(fault) => break Some(fault),
                Ok(reply) => reply,
            };
            let unprocessed = reply.unprocessed();
            missing.retain(|key| unprocessed.contains(*key));
            let now = seconds_since_1970();
            // The table's time to live deletes an item within days, not at once.
            found.extend(reply.found().map(|Found { key, lookup, expires }| {
                (key, if expires.is_some_and(|expires| expires <= now) { Lookup::Miss } else { lookup })
            }));
            if missing.is_empty() {
                break None;
            }
            if Instant::now() + pause >= deadline {
                let left_out = Fault::Reply("UnprocessedKeys".to_owned());
                self.reads.record::<()>(&Err(left_out.clone()), Instant::now());
                break Some(left_out);
            }
            sleep_until(Instant::now() + pause).await;
            pause *= 2;
        };
        let lookup = |key: &&CacheKey| match &fault {
            Some(fault) if missing.contains(key.as_str()) => Lookup::Unavailable(fault.clone()),
            _ => found.get(key.as_str()).cloned().unwrap_or(Lookup::Miss),
        };
        keys.iter().map(lookup).collect()
    }

    async fn read(&self, request: &GetRequest<'_>, deadline: Instant) -> Result<GetReply, Fault> {
        if !self.reads.breaker.allows() {
            return Err(Fault::Paused);
        }
        let began = Instant::now();
        let reply = self.call("DynamoDB_20120810.BatchGetItem", request, deadline).await;
        let reply = reply.and_then(|body| GetReply::parse(&body));
        record(&self.reads, &reply, began);
        reply
    }

    /// Stores entries. A write cut short by the end of the invocation does not count as a fault of DynamoDB.
    async fn put_many(&self, entries: &[(&CacheKey, Bytes)], time_left: Option<Duration>) -> Result<(), Fault> {
        let limit = self.config.write_timeout.min(time_left.unwrap_or(Duration::MAX));
        if limit.is_zero() {
            return Err(Fault::OutOfTime);
        }
        let Ok(_permit) = self.write_permits.try_acquire() else { return Err(Fault::Busy) };
        // DynamoDB refuses a request that names a key twice, or with an item that is too large, with all its other items.
        let mut keys = HashSet::new();
        let (small, large): (Vec<_>, Vec<_>) = (entries.iter().filter(|(key, _)| keys.insert(key.as_str())))
            .partition(|(key, value)| key.as_str().len() + value.len() <= MAX_ITEM_BYTES);
        let deadline = Instant::now() + self.config.write_timeout;
        let writing = join_all(small.chunks(MAX_ENTRIES).map(|entries| self.put(entries.to_vec(), deadline)));
        let written = if limit < self.config.write_timeout {
            timeout(limit, writing).await.map_err(|_| Fault::OutOfTime)?
        } else {
            writing.await
        };
        written.into_iter().collect::<Result<(), _>>()?;
        if large.is_empty() { Ok(()) } else { Err(Fault::Reply("an entry over 400 KB".to_owned())) }
    }

    /// Stores at most [`MAX_ENTRIES`] entries.
    async fn put(&self, mut entries: Vec<&(&CacheKey, Bytes)>, deadline: Instant) -> Result<(), Fault> {
        let mut pause = FIRST_PAUSE;
        loop {
            let now = seconds_since_1970();
            let items = entries.iter().map(|(key, value)| (key.as_str(), value, now + spread(self.config.ttl, key)));
            let reply = self.write(&PutRequest::new(&self.config.table, items), deadline).await?;
            let unprocessed = reply.unprocessed();
            entries.retain(|(key, _)| unprocessed.contains(key.as_str()));
            if entries.is_empty() {
                return Ok(());
            }
            if Instant::now() + pause >= deadline {
                let left_out = Err(Fault::Reply("UnprocessedItems".to_owned()));
                self.writes.record(&left_out, Instant::now());
                return left_out;
            }
            sleep_until(Instant::now() + pause).await;
            pause *= 2;
        }
    }

    async fn write(&self, request: &PutRequest<'_>, deadline: Instant) -> Result<PutReply, Fault> {
        if !self.writes.breaker.allows() {
            return Err(Fault::Paused);
        }
        let began = Instant::now();
        let reply = self.call("DynamoDB_20120810.BatchWriteItem", request, deadline).await;
        let reply = reply.and_then(|body| PutReply::parse(&body));
        record(&self.writes, &reply, began);
        reply
    }

    /// Calls an operation. Both of them may be repeated, so a retry does no harm.
    async fn call(&self, target: &'static str, request: &impl Serialize, deadline: Instant) -> Result<Bytes, Fault> {
        const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
        const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
        let body = serde_json::to_vec(request).map_err(|error| Fault::Reply(error.to_string()))?.into();
        let headers = [(header::CONTENT_TYPE, CONTENT_TYPE), (TARGET, HeaderValue::from_static(target))];
        let request = aws_client::Request { method: &Method::POST, path: "/", headers: &headers, body: &body };
        let answer = self.client.send(request, deadline, MAX_REPLY_BYTES).await?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        Err(protocol::fault(answer.status(), answer.body()))
    }
}

/// A result that says nothing about the store is not recorded.
fn record<T>(health: &Health, result: &Result<T, Fault>, began: Instant) {
    if !matches!(result, Err(Fault::Busy)) {
        health.record(result, began);
    }
}

/// What a client calls with the result of each attempt to open a connection.
fn watched_by(
    reads: &Health,
    writes: &Health,
) -> impl Fn(Instant, Result<(), &aws_client::Error>) + Send + Sync + use<> {
    let breakers = [reads, writes].map(|health| Arc::clone(&health.breaker));
    move |began, opened| {
        for breaker in &breakers {
            match opened {
                Ok(()) => breaker.opened(),
                Err(error) => breaker.failed(&error.clone().into(), began),
            }
        }
    }
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl From<aws_client::Error> for Fault {
    fn from(error: aws_client::Error) -> Self {
        match error {
            aws_client::Error::Timeout => Self::Timeout(None),
            aws_client::Error::Connecting => Self::Connecting,
            aws_client::Error::Busy => Self::Busy,
            aws_client::Error::Connection(reason) => Self::Connection(reason),
            aws_client::Error::Credentials(reason) => Self::Refused(reason),
        }
    }
}

impl Store for DynamoDbStore {
    fn for_another_worker(&self) -> Box<dyn Store> {
        let [reads, writes] = [&self.reads, &self.writes].map(Health::for_another_worker);
        let client = self.client.for_another_thread(watched_by(&reads, &writes));
        let config = Arc::clone(&self.config);
        Box::new(Self { config, client, reads, writes, write_permits: Semaphore::new(MAX_WRITES) })
    }

    fn open(&self) -> BoxFuture<'_, ()> {
        self.client.open_ahead(self.config.read_timeout).boxed()
    }

    fn lookup<'a>(&'a self, keys: &'a [&'a CacheKey]) -> BoxFuture<'a, Vec<Lookup>> {
        self.get_many(keys).boxed()
    }

    fn store<'a>(
        &'a self,
        entries: &'a [(&'a CacheKey, Bytes)],
        time_left: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        self.put_many(entries, time_left).boxed()
    }

    /// A connection carries one request at a time and ends if an answer is late, so an answer belongs to its request, and an item to the
    /// key in it.
    fn distrust(&self) {}

    fn tier(&self) -> Tier {
        Tier::DynamoDb
    }

    fn breakers(&self) -> [BreakerState; 2] {
        [&self.reads, &self.writes].map(|health| health.breaker.state())
    }

    fn close(&self) {
        self.client.close();
    }
}
