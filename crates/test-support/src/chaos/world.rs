//! A real Redis, a proxy in front of it, and an administrative connection that no fault affects.

use std::any::Any;

use redis::{AsyncConnectionConfig, Client, FromRedisValue, aio::MultiplexedConnection};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    PATIENCE, eventually,
    proxy::Proxy,
    redis::Redis,
    service::{Http, Service},
};

/// The default deadlines (an empty variable counts as unset). The memory tier is small, so that most lookups go to Redis.
const PRODUCTION: [(&str, &str); 3] =
    [("CACHE_READ_TIMEOUT_MS", ""), ("CACHE_WRITE_TIMEOUT_MS", ""), ("MEMORY_CACHE_ENTRIES", MEMORY_ENTRIES)];
pub const MEMORY_ENTRIES: &str = "50";

pub struct World {
    pub redis: Redis,
    pub proxy: Proxy,
    /// Opened before any fault, so it stays authenticated when the password changes.
    admin: MultiplexedConnection,
    /// Resumes a stopped redis-server on drop.
    pub hanging: Option<Box<dyn Any + Send>>,
    /// A `DEBUG RELOAD` in progress.
    pub reload: Option<JoinHandle<()>>,
}

impl World {
    pub async fn new() -> Self {
        let redis = Redis::start().await;
        let proxy = Proxy::to_redis(&redis).await;
        let admin = patient_connection(&redis).await;
        Self { redis, proxy, admin, hanging: None, reload: None }
    }

    /// A service that reaches Redis through the proxy or directly; a killed redis-server looks different through a proxy.
    pub async fn service(&self, through_proxy: bool) -> (Service, Http) {
        let url = if through_proxy { self.proxy.url() } else { self.redis.url() };
        Service::local(&[&PRODUCTION[..], &[("REDIS_URL", &*url)]].concat()).await
    }

    /// A service that reaches Redis through the proxy, with these variables and a limit in the syntax of `ulimit`. It logs no line per
    /// request, because millions of lines would be kept in memory.
    pub async fn quiet_service(&self, limit: &str, variables: &[(&str, &str)]) -> (Service, Http) {
        // At this level, the service does not log its address either, so the port is chosen here.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let (url, port) = (self.proxy.url(), address.port().to_string());
        let own = [("REDIS_URL", &*url), ("PORT", &*port), ("LOG_LEVEL", "warn")];
        let service = Service::start_with_limit(limit, &[&PRODUCTION[..], &own, variables].concat());
        let http = Http { address, client: reqwest::Client::new() };
        let healthy = async || http.client.get(http.url("/health")).send().await.is_ok();
        eventually("the service listens", healthy).await;
        (service, http)
    }

    pub async fn restart_redis(&mut self) {
        self.redis.restart().await;
        self.admin = patient_connection(&self.redis).await;
    }

    /// Runs a command on the connection that was opened before the fault.
    pub async fn admin<T: FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.admin).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }
}

/// A connection whose timeouts are longer than the client's default of half a second.
pub async fn patient_connection(redis: &Redis) -> MultiplexedConnection {
    let config =
        AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE)).set_connection_timeout(Some(PATIENCE));
    let client = Client::open(redis.url()).expect("a URL of Redis");
    client.get_multiplexed_async_connection_with_config(&config).await.expect("Redis runs")
}
