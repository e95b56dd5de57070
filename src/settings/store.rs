//! The store behind the memory.

use prediction_cache::{Layout, dynamodb::DynamoDbConfig, redis::RedisConfig};

use super::{Environment, SettingsError, dynamodb, error, limits, redis};

/// The store to use.
#[derive(Debug)]
pub enum StoreSettings {
    Redis(Box<RedisConfig>),
    DynamoDb(Box<DynamoDbConfig>),
}

/// `None` without a store. Invalid numbers, flags and choices are rejected even so.
pub(super) fn settings<L>(env: &Environment<L>, layout: Layout) -> Result<Option<StoreSettings>, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let limits = limits::settings(env)?;
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
