//! The settings: environment variables, read once at start-up. An empty variable counts as unset.

mod api;
mod aws;
mod cache;
mod certificates;
mod dynamodb;
mod environment;
mod limits;
mod log;
mod memory_limit;
mod model;
mod redis;
mod runs;
mod server;
mod store;
mod traces;
mod unknown;

use self::environment::{Environment, error};
pub use self::{
    cache::CacheSettings,
    environment::SettingsError,
    memory_limit::memory_limit,
    model::{ModelSettings, ModelSource, Remote},
    runs::RunSettings,
    server::{MetricsPlace, ServerSettings},
    store::StoreSettings,
    unknown::near_misses,
};
use crate::{
    http::ApiSettings,
    observe::{log::LogSettings, traces::TraceSettings},
    service::Caching,
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
    /// * `LOG_SAMPLE`: the share of the hits whose lines are written, 0 to 1; default 1. Under Lambda, the others leave a line of metrics only.
    /// * `POWERTOOLS_METRICS_NAMESPACE`: the CloudWatch namespace of the metrics; default `predict-once`.
    /// * `POWERTOOLS_SERVICE_NAME`: the metrics' dimension `service`; default `predict-once`.
    pub log: LogSettings,
    /// `None` without an endpoint to send traces to.
    pub traces: Option<TraceSettings>,
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
        let caching = cache::caching(&env)?;
        let cache = cache::settings(&env, caching.layout)?;
        let log = log::settings(&env)?;
        let traces = traces::settings(&env, &log.service_name)?;
        Ok(Self {
            cache,
            caching,
            runs: runs::settings(&env)?,
            model: model::settings(&env)?,
            server: server::settings(&env)?,
            api: api::settings(&env)?,
            log,
            traces,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeSet, num::NonZeroUsize};

    use prediction_cache::{CacheKey, Layout, Namespace};
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::{
        http::{AllowedHeaders, AllowedOrigins, BasePaths},
        service::Strategy,
    };

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
        assert_eq!(checked, 65, "33 defaults, 16 ranges, 16 choices");
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
            ("LOG_SAMPLE", "10 %", "must be a number from 0 to 1"),
            ("LOG_SAMPLE", "1.5", "must be a number from 0 to 1"),
            ("LOG_LEVEL", "loud", "must be off, error, warn, info, debug or trace"),
        ] {
            let found = settings(&[(variable, value)]).expect_err(value);
            assert_eq!(found, SettingsError { variable, problem: problem.to_owned() });
        }
    }
}
