//! The settings: environment variables, read once at start-up. An empty variable counts as unset.

mod api;
mod aws;
mod certificates;
mod dynamodb;
mod memory_limit;
mod model;
mod redis;
mod runs;
mod server;
mod store;
mod traces;
mod unknown;

use std::{
    fmt,
    num::{NonZeroU64, NonZeroUsize},
    str::FromStr,
};

use prediction_cache::{Layout, MAX_MEMORY_CACHE_BYTES, Namespace, Signer};
use tracing::level_filters::LevelFilter;

pub use self::{
    memory_limit::memory_limit,
    model::{ModelSettings, ModelSource, Remote},
    runs::RunSettings,
    server::{MetricsPlace, ServerSettings},
    store::StoreSettings,
    unknown::near_misses,
};
use crate::{
    http::ApiSettings,
    observe::{
        log::{LogFormat, LogSettings},
        traces::TraceSettings,
    },
    service::{Caching, Strategy},
};

#[derive(Debug)]
pub struct Settings {
    pub cache: CacheSettings,
    pub model: ModelSettings,
    /// How predictions are cached: `CACHE_NAMESPACE`, `CACHE_LAYOUT`, `CACHE_STRATEGY`, `CACHE_PER_TENANT`.
    pub caching: Caching,
    pub runs: RunSettings,
    pub server: ServerSettings,
    /// How the API is served.
    ///
    /// * `BASE_PATH`: a prefix of the paths that a gateway, a load balancer or a proxy leaves in front of them, such as `/ml`, or several,
    ///   separated by commas; default none.
    /// * `CLIENT_CACHE_CONTROL`: `obey`, the default, or `ignore`: whether the `cache-control` of requests controls the cache.
    /// * `CORS_ALLOWED_ORIGINS`: the comma-separated origins of web pages that may call the API from a browser, or `*`; default none.
    /// * `CORS_ALLOWED_HEADERS`: comma-separated names of headers that these pages may send besides those that the service knows;
    ///   default none.
    pub api: ApiSettings,
    /// Logs and metrics.
    ///
    /// * `LOG_LEVEL`: `off`, `error`, `warn`, `info`, `debug` or `trace`; default `info`. It applies to the service's own messages; its libraries
    ///   log only warnings and errors.
    /// * `LOG_FORMAT`: `json` or `text`; default: `json` under Lambda, `text` elsewhere. Under Lambda, the lines of requests are JSON in any case,
    ///   since they carry the metrics.
    /// * `POWERTOOLS_METRICS_NAMESPACE`: the CloudWatch namespace of the metrics; default `predict-once`.
    /// * `POWERTOOLS_SERVICE_NAME`: the metrics' dimension `service`; default `predict-once`.
    pub log: LogSettings,
    /// `None` without an endpoint to send traces to.
    pub traces: Option<TraceSettings>,
}

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

/// An invalid setting.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct SettingsError {
    pub variable: &'static str,
    /// A sentence whose subject is the variable: `must be true or false`.
    pub problem: String,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    ///
    /// The first invalid variable, with the allowed values.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|variable| match std::env::var(variable) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(SettingsError { variable, problem: "must be valid UTF-8".to_owned() })
            }
        })
    }

    fn from_lookup(
        lookup: impl Fn(&'static str) -> Result<Option<String>, SettingsError>,
    ) -> Result<Self, SettingsError> {
        let env = Environment(lookup);
        let namespace = match env.get("CACHE_NAMESPACE")? {
            None => Namespace::default(),
            Some(name) => Namespace::new(&name).ok_or_else(|| error("CACHE_NAMESPACE", Namespace::ALLOWED))?,
        };
        let layout = match env.get("CACHE_LAYOUT")? {
            None => Layout::default(),
            Some(name) => name.parse().map_err(|_| error("CACHE_LAYOUT", "must be string, hash or output"))?,
        };
        let store = store::settings(&env, layout)?;
        let default_entries = if store.is_some() { 1_000 } else { 10_000 };
        let memory_entries = NonZeroUsize::new(env.number("MEMORY_CACHE_ENTRIES", default_entries, 0, 10_000_000)?);
        let memory_bytes = match env.get("MEMORY_CACHE_BYTES")? {
            None => default_memory_bytes(),
            Some(_) => env.number("MEMORY_CACHE_BYTES", 0, 0, MAX_MEMORY_CACHE_BYTES)?,
        };
        let signer = match env.get("CACHE_SIGNING_KEY")? {
            None => Signer::default(),
            // The message never repeats the secret.
            Some(secret) => Signer::with_secret(secret.trim_end_matches(['\r', '\n']).as_bytes()).ok_or_else(|| {
                error("CACHE_SIGNING_KEY", format!("must have at least {} bytes", Signer::MIN_SECRET))
            })?,
        };
        let strategy = match env.get("CACHE_STRATEGY")? {
            None => Strategy::default(),
            Some(name) => name.parse().map_err(|()| error("CACHE_STRATEGY", "must be lookup_first or auto"))?,
        };
        let log_level = match env.get("LOG_LEVEL")? {
            None => LevelFilter::INFO,
            Some(level) => ["off", "error", "warn", "info", "debug", "trace"]
                .into_iter()
                .find(|known| level.eq_ignore_ascii_case(known))
                .and_then(|known| known.parse().ok())
                .ok_or_else(|| error("LOG_LEVEL", "must be off, error, warn, info, debug or trace"))?,
        };
        let log_format = match env.get("LOG_FORMAT")?.as_deref() {
            None => None,
            Some("json") => Some(LogFormat::Json),
            Some("text") => Some(LogFormat::Text),
            Some(_) => return Err(error("LOG_FORMAT", "must be json or text")),
        };
        let or_name = |name: Option<String>| name.unwrap_or_else(|| "predict-once".to_owned());
        let service_name = or_name(env.get("POWERTOOLS_SERVICE_NAME")?);
        let traces = traces::settings(&env, &service_name)?;
        Ok(Self {
            cache: CacheSettings {
                store,
                memory_entries,
                memory_bytes: NonZeroU64::new(memory_bytes),
                signer,
                bypass: env.flag("CACHE_BYPASS")?,
            },
            caching: Caching { namespace, layout, strategy, per_tenant: env.flag("CACHE_PER_TENANT")? },
            runs: runs::settings(&env)?,
            model: model::settings(&env)?,
            server: server::settings(&env)?,
            api: api::settings(&env)?,
            log: LogSettings {
                log_level,
                format: log_format,
                metrics_namespace: or_name(env.get("POWERTOOLS_METRICS_NAMESPACE")?),
                service_name,
            },
            traces,
        })
    }
}

/// A quarter of the memory that this process may use, at most 64 MiB.
fn default_memory_bytes() -> u64 {
    memory_limit().map_or(u64::MAX, |limit| limit / 4).min(64 << 20)
}

fn error(variable: &'static str, problem: impl Into<String>) -> SettingsError {
    SettingsError { variable, problem: problem.into() }
}

/// Looks up variables; tests supply their own.
struct Environment<L>(L);

impl<L: Fn(&'static str) -> Result<Option<String>, SettingsError>> Environment<L> {
    fn get(&self, variable: &'static str) -> Result<Option<String>, SettingsError> {
        Ok((self.0)(variable)?.filter(|value| !value.is_empty()))
    }

    /// A whole number from `least` to `most`, inclusive.
    fn number<N>(&self, variable: &'static str, default: N, least: N, most: N) -> Result<N, SettingsError>
    where
        N: FromStr + PartialOrd + fmt::Display,
    {
        let Some(value) = self.get(variable)? else { return Ok(default) };
        value
            .parse()
            .ok()
            .filter(|number| (&least..=&most).contains(&number))
            .ok_or_else(|| error(variable, format!("must be a whole number from {least} to {most}")))
    }

    /// `true` or `false`; unset is false.
    fn flag(&self, variable: &'static str) -> Result<bool, SettingsError> {
        match self.get(variable)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(error(variable, "must be true or false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeSet};

    use prediction_cache::CacheKey;

    use super::*;
    use crate::http::{AllowedHeaders, AllowedOrigins, BasePaths};

    pub(super) fn settings(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_lookup(|name| {
            Ok(variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        })
    }

    #[test]
    fn by_default_the_cache_is_in_memory_and_the_server_local() {
        let settings = settings(&[("REDIS_URL", ""), ("PORT", "")]).expect("defaults are valid");
        assert!(settings.cache.store.is_none());
        assert_eq!(settings.cache.memory_entries, NonZeroUsize::new(10_000));
        assert_eq!((settings.caching.layout, settings.caching.strategy), (Layout::String, Strategy::LookupFirst));
        assert_eq!((settings.server.host.as_str(), settings.server.port), ("127.0.0.1", 8080));
        assert_eq!(settings.server.metrics, None);
        assert_eq!(settings.log.log_level, LevelFilter::INFO);
    }

    /// The variables in `docs/settings.md`, each with its `default` and `allowed` cells.
    fn documented() -> Vec<(&'static str, &'static str, &'static str)> {
        let rows = include_str!("../../docs/settings.md").lines().filter(|line| line.starts_with("| `"));
        rows.map(|row| {
            let cells: Vec<_> = row.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
            let [variable, default, allowed, _] = cells[..] else { panic!("four cells: {row}") };
            (variable.trim_matches('`'), default, allowed)
        })
        .collect()
    }

    /// The code spans in a cell.
    fn code(cell: &'static str) -> Vec<&'static str> {
        cell.split('`').skip(1).step_by(2).collect()
    }

    const REDIS: &[(&str, &str)] = &[("REDIS_URL", "rediss://host")];
    const ALL: &[(&str, &str)] = &[
        ("REDIS_URL", "rediss://host"),
        ("REDIS_AUTH", "iam"),
        ("REDIS_USERNAME", "user"),
        ("REDIS_IAM_CACHE_NAME", "cache"),
        ("AWS_REGION", "eu-central-1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
    ];
    const S3: &[(&str, &str)] = &[("MODEL_URI", "s3://bucket/model.tar"), ("AWS_REGION", "eu-central-1")];
    const DYNAMODB: &[(&str, &str)] = &[("CACHE_STORE", "dynamodb"), ("AWS_REGION", "eu-central-1")];

    #[test]
    fn the_documented_variables_are_those_that_are_read() {
        let read = RefCell::new(BTreeSet::new());
        for variables in [&[], REDIS, ALL, DYNAMODB, S3] {
            Settings::from_lookup(|name| {
                read.borrow_mut().insert(name);
                Ok(variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
            })
            .expect("valid");
        }
        let documented: BTreeSet<_> = documented().into_iter().map(|(variable, ..)| variable).collect();
        assert_eq!(documented, read.into_inner());
        assert_eq!(documented, unknown::VARIABLES.into_iter().collect());
    }

    #[test]
    fn the_documented_defaults_bounds_and_choices_are_those_of_the_code() {
        let mut checked = 0;
        for (variable, default, allowed) in documented() {
            let base = match variable {
                "CACHE_STORE" | "DYNAMODB_TABLE" => DYNAMODB,
                _ if variable.starts_with("MEMORY") => &[],
                _ => ALL,
            };
            let with = |value: &str| {
                let others = base.iter().filter(|(name, _)| *name != variable).copied();
                settings(&others.chain([(variable, value)]).collect::<Vec<_>>())
            };
            let shown = |settings: Result<Settings, SettingsError>| format!("{:?}", settings.expect(variable));
            if let [default] = code(default)[..] {
                assert_eq!(shown(with(default)), shown(with("")), "{variable}");
                checked += 1;
            }
            match code(allowed)[..] {
                [least, most] if allowed == format!("`{least}` to `{most}`") => {
                    let number = |text: &str| text.parse::<i64>().expect(variable);
                    for inside in [least, most] {
                        with(inside).expect(variable);
                    }
                    for outside in [number(least) - 1, number(most) + 1] {
                        let refused = with(&outside.to_string()).expect_err(variable);
                        assert_eq!(refused.problem, format!("must be a whole number from {least} to {most}"));
                    }
                    checked += 1;
                }
                [] => {}
                ref choices => {
                    let listed: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
                    // Skips formats described in words, with examples.
                    if allowed == listed.join(", ") {
                        choices.iter().for_each(|choice| drop(with(choice).expect(variable)));
                        assert_eq!(with("nonsense").expect_err("no choice").variable, variable);
                        checked += 1;
                    }
                }
            }
        }
        assert_eq!(checked, 64, "32 defaults, 16 ranges, 16 choices");
    }

    #[test]
    fn the_signing_key_is_trimmed_and_appears_neither_in_debug_output_nor_in_an_error() {
        let signed = |secret: &str| {
            let key = CacheKey::from_parts("key", None);
            settings(&[("CACHE_SIGNING_KEY", secret)]).map(|settings| settings.cache.signer.sign(&key, b"DECLINE"))
        };
        assert_eq!(signed("correct horse battery\r\n"), signed("correct horse battery"));
        assert_ne!(signed("correct horse battery"), signed(" correct horse battery"));
        assert_ne!(signed("correct horse battery"), signed(""));
        let valid = settings(&[("CACHE_SIGNING_KEY", "correct horse battery")]).expect("valid");
        let refused = settings(&[("CACHE_SIGNING_KEY", "correct horse \n\n")]).expect_err("14 bytes");
        assert_eq!(refused.to_string(), "CACHE_SIGNING_KEY must have at least 16 bytes");
        for text in [format!("{valid:?}"), format!("{refused:?}")] {
            assert!(!text.contains("horse"), "{text}");
        }
    }

    #[test]
    fn an_invalid_value_is_reported_with_its_variable_and_the_allowed_values() {
        for (variable, value, problem) in [
            ("CACHE_NAMESPACE", "a:b", Namespace::ALLOWED),
            ("MEMORY_CACHE_ENTRIES", "many", "must be a whole number from 0 to 10000000"),
            ("MEMORY_CACHE_BYTES", "64 MiB", "must be a whole number from 0 to 68719476736"),
            ("PORT", "65536", "must be a whole number from 0 to 65535"),
            ("WORKERS", "two", "must be a whole number from 1 to 256"),
            ("MAX_CONNECTIONS", "0", "must be a whole number from 1 to 1000000"),
            ("COST_PER_GB_SECOND", "-1", "must be a number of 0 or more"),
            ("DASHBOARD_INPUTS", "yes", "must be hide or show"),
            ("HEALTH_ADDRESS", "localhost:9091", "must be an IP address and a port, such as 127.0.0.1:9090"),
            ("METRICS_ADDRESS", "9090", "must be an IP address and a port, such as 127.0.0.1:9090"),
            ("BASE_PATH", "ml", BasePaths::ALLOWED),
            ("CLIENT_CACHE_CONTROL", "Ignore", "must be obey or ignore"),
            ("CORS_ALLOWED_ORIGINS", "example.com", AllowedOrigins::ALLOWED),
            ("CORS_ALLOWED_HEADERS", "x client", AllowedHeaders::ALLOWED),
            ("LOG_FORMAT", "yaml", "must be json or text"),
            ("LOG_LEVEL", "loud", "must be off, error, warn, info, debug or trace"),
        ] {
            let found = settings(&[(variable, value)]).expect_err(value);
            assert_eq!(found, SettingsError { variable, problem: problem.to_owned() });
        }
    }
}
