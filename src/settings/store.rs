//! The store behind the memory: which one, and what all stores have.

use std::time::Duration;

use prediction_cache::{Layout, dynamodb::DynamoDbConfig, redis::RedisConfig};

use super::{Environment, SettingsError, dynamodb, error, redis};

/// The store to use.
#[derive(Debug)]
pub enum StoreSettings {
    Redis(Box<RedisConfig>),
    DynamoDb(Box<DynamoDbConfig>),
}

/// How long entries live, and requests to the store may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) ttl: Duration,
    pub(super) read_timeout: Duration,
    pub(super) write_timeout: Duration,
}

/// `None` without a store. Invalid numbers, flags and choices are rejected even so.
pub(super) fn settings<L>(env: &Environment<L>, layout: Layout) -> Result<Option<StoreSettings>, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let limits = Limits {
        ttl: Duration::from_secs(env.number("CACHE_TTL_SECONDS", 604_800, 1, 31_536_000)?),
        read_timeout: Duration::from_millis(env.number("CACHE_READ_TIMEOUT_MS", 50, 1, 10_000)?),
        write_timeout: Duration::from_millis(env.number("CACHE_WRITE_TIMEOUT_MS", 250, 1, 60_000)?),
    };
    let redis = redis::config(env, limits)?;
    let table = env.get("DYNAMODB_TABLE")?;
    match env.get("CACHE_STORE")?.as_deref() {
        None | Some("redis") if table.is_some() => Err(error("DYNAMODB_TABLE", "needs CACHE_STORE=dynamodb")),
        None | Some("redis") => Ok(redis.map(|config| StoreSettings::Redis(Box::new(config)))),
        Some("dynamodb") if redis.is_some() => Err(error("REDIS_URL", "must be unset with CACHE_STORE=dynamodb")),
        // A write of one prediction would have to keep those of others in the item, one request each.
        Some("dynamodb") if layout == Layout::Hash => {
            Err(error("CACHE_LAYOUT", "must be string or output with CACHE_STORE=dynamodb"))
        }
        Some("dynamodb") => {
            let config = dynamodb::config(env, table, limits)?;
            Ok(Some(StoreSettings::DynamoDb(Box::new(config))))
        }
        Some(_) => Err(error("CACHE_STORE", "must be redis or dynamodb")),
    }
}
