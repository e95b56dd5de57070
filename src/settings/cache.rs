//! The settings of the cache.

use std::num::{NonZeroU64, NonZeroUsize};

use prediction_cache::{Layout, MAX_MEMORY_CACHE_BYTES, Namespace, Signer};

use super::{Environment, SettingsError, StoreSettings, error, memory_limit::memory_limit, store};
use crate::service::{Caching, Strategy};

/// The caches to use.
#[derive(Debug)]
pub struct CacheSettings {
    /// The store behind the memory. `None` without `REDIS_URL` and `CACHE_STORE=dynamodb`.
    ///
    /// * `CACHE_STORE`: `redis`, the default, or `dynamodb`.
    /// * `REDIS_URL`: `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS. For a cluster, several nodes, separated by
    ///   commas: all with the same scheme, and with the user, password and database of the first or none.
    /// * `REDIS_USERNAME`, `REDIS_PASSWORD`: credentials; they override the URL's.
    /// * `REDIS_CLUSTER`: `true` if the address is a node of a Redis Cluster; default `false`.
    /// * `REDIS_CA_FILE`: a PEM file of the only certificate authorities to trust; default: the bundled ones (Mozilla's).
    /// * `REDIS_CERT_FILE`, `REDIS_KEY_FILE`: PEM files of this client's certificate, with its chain, and of its private key, for a server that
    ///   demands them.
    /// * `REDIS_CONNECTION_MAX_AGE_SECONDS`: how long a connection is used before another replaces it, which resolves the name again, 1 to
    ///   43200; default 300. The actual time is up to a fifth shorter.
    /// * `REDIS_AUTH`: `password`, the default, or `iam`: ElastiCache IAM, with the username as user id, `AWS_REGION`, and the
    ///   credentials in the environment. `iam` also reads
    ///   `REDIS_IAM_CACHE_NAME`: the cache's name; and
    ///   `REDIS_IAM_SERVERLESS`: `true` if the cache is serverless; default `false`.
    /// * `CACHE_TTL_SECONDS`: how long an entry lives, 1 to 31536000; default 604800, a week.
    /// * `CACHE_READ_TIMEOUT_MS`: the timeout of a lookup, including connecting and one retry, 1 to 10000; default 50. An open
    ///   connection gets two fifths of it if the rest suffices to open another.
    /// * `CACHE_WRITE_TIMEOUT_MS`: the timeout of the write after the response, 1 to 60000; default 250.
    /// * `DYNAMODB_TABLE`: the table's name, with `CACHE_STORE=dynamodb`; default `predict-once`. DynamoDB also needs `AWS_REGION` and the
    ///   credentials in the environment.
    /// * `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL`: another address of DynamoDB; default: the region's.
    /// * `AWS_CA_BUNDLE`: a PEM file of the only certificate authorities to trust for it; default: the bundled ones (Mozilla's).
    pub store: Option<StoreSettings>,
    /// `MEMORY_CACHE_ENTRIES`: the maximum number of entries in process memory, 0 to 10000000; default 10000, or 1000 in front of
    /// a store. 0 keeps none.
    pub memory_entries: Option<NonZeroUsize>,
    /// `MEMORY_CACHE_BYTES`: the memory that these entries may take, 0 to 68719476736; default: a quarter of the memory that the function
    /// or the control group has, at most 64 MiB. 0 keeps none.
    pub memory_bytes: Option<NonZeroU64>,
    /// `CACHE_SIGNING_KEY`: a secret of at least 16 bytes that signs the values in the store with HMAC-SHA-256, so that others cannot forge
    /// predictions; default: an unsigned digest, which detects accidents only. A line break at its end is not part of it.
    pub signer: Signer,
    /// `CACHE_BYPASS`: `true` neither looks up nor stores, in memory or in the store, and opens no connection; default `false`. The cache and
    /// its settings stay as they are.
    pub bypass: bool,
}

/// How predictions are cached.
pub(super) fn caching<L>(env: &Environment<L>) -> Result<Caching, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let namespace = match env.get("CACHE_NAMESPACE")? {
        None => Namespace::default(),
        Some(name) => Namespace::new(&name).ok_or_else(|| error("CACHE_NAMESPACE", Namespace::ALLOWED))?,
    };
    let layout = match env.get("CACHE_LAYOUT")? {
        None => Layout::default(),
        Some(name) => name.parse().map_err(|_| error("CACHE_LAYOUT", "must be string, hash or output"))?,
    };
    let strategy = match env.get("CACHE_STRATEGY")? {
        None => Strategy::default(),
        Some(name) => name.parse().map_err(|()| error("CACHE_STRATEGY", "must be lookup_first or auto"))?,
    };
    Ok(Caching { namespace, layout, strategy, per_tenant: env.flag("CACHE_PER_TENANT")? })
}

/// The caches to use.
pub(super) fn settings<L>(env: &Environment<L>, layout: Layout) -> Result<CacheSettings, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let store = store::settings(env, layout)?;
    let default_entries = if store.is_some() { 1_000 } else { 10_000 };
    let memory_entries = NonZeroUsize::new(env.number("MEMORY_CACHE_ENTRIES", default_entries, 0, 10_000_000)?);
    let memory_bytes = match env.get("MEMORY_CACHE_BYTES")? {
        None => default_memory_bytes(),
        Some(_) => env.number("MEMORY_CACHE_BYTES", 0, 0, MAX_MEMORY_CACHE_BYTES)?,
    };
    let signer = match env.get("CACHE_SIGNING_KEY")? {
        None => Signer::default(),
        // The message never repeats the secret.
        Some(secret) => Signer::with_secret(secret.trim_end_matches(['\r', '\n']).as_bytes())
            .ok_or_else(|| error("CACHE_SIGNING_KEY", format!("must have at least {} bytes", Signer::MIN_SECRET)))?,
    };
    Ok(CacheSettings {
        store,
        memory_entries,
        memory_bytes: NonZeroU64::new(memory_bytes),
        signer,
        bypass: env.flag("CACHE_BYPASS")?,
    })
}

/// A quarter of the memory that this process may use, at most 64 MiB.
fn default_memory_bytes() -> u64 {
    memory_limit().map_or(u64::MAX, |limit| limit / 4).min(64 << 20)
}
