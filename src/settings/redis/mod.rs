//! The Redis settings.

mod addresses;

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use prediction_cache::redis::{IamTokens, RedisConfig};

use super::{Environment, SettingsError, certificates, error, limits::Limits};

/// `None` without `REDIS_URL`; invalid numbers, flags and choices are still rejected.
pub(super) fn config<L>(env: &Environment<L>, limits: Limits) -> Result<Option<RedisConfig>, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    // ElastiCache closes a connection 12 hours after it has logged in with IAM.
    let max_age = Duration::from_secs(env.number("REDIS_CONNECTION_MAX_AGE_SECONDS", 300, 1, 43_200)?);
    let cluster = env.flag("REDIS_CLUSTER")?;
    let serverless = env.flag("REDIS_IAM_SERVERLESS")?;
    let by_iam = match env.get("REDIS_AUTH")?.as_deref() {
        None | Some("password") => false,
        Some("iam") => true,
        Some(_) => return Err(error("REDIS_AUTH", "must be password or iam")),
    };
    let Some(url) = env.get("REDIS_URL")? else { return Ok(None) };

    let (connection, other_nodes) = addresses::read(env, &url, cluster)?;
    let tls = addresses::is_tls(&connection);
    let (certificate_authorities, client_certificate) = certificates::read(env, tls)?;
    let iam = match (by_iam, tls) {
        (false, _) => None,
        // An intercepted token is usable for 15 minutes.
        (true, false) => return Err(error("REDIS_AUTH", "iam needs a REDIS_URL that starts with rediss://")),
        (true, true) => {
            let required =
                |variable| env.get(variable)?.ok_or_else(|| error(variable, "must be set with REDIS_AUTH=iam"));
            let user = connection.redis_settings().username().map(str::to_owned);
            Some(IamTokens {
                cache: required("REDIS_IAM_CACHE_NAME")?.to_ascii_lowercase(),
                user: user.ok_or_else(|| error("REDIS_USERNAME", "must be set with REDIS_AUTH=iam"))?,
                region: required("AWS_REGION")?,
                serverless,
                credentials: SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
            })
        }
    };
    let Limits { ttl, read_timeout, write_timeout } = limits;
    Ok(Some(RedisConfig {
        cluster,
        other_nodes,
        certificate_authorities,
        client_certificate,
        iam,
        max_age,
        ttl,
        read_timeout,
        write_timeout,
        ..RedisConfig::new(connection)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{StoreSettings, tests::settings};

    pub(super) fn redis(variables: &[(&str, &str)]) -> RedisConfig {
        match settings(variables).expect("valid").cache.store {
            Some(StoreSettings::Redis(redis)) => *redis,
            other => panic!("REDIS_URL is set: {other:?}"),
        }
    }

    const IAM: [(&str, &str); 5] = [
        ("REDIS_AUTH", "iam"),
        ("REDIS_URL", "rediss://predictions.example:6379"),
        ("REDIS_USERNAME", "predict-once"),
        ("REDIS_IAM_CACHE_NAME", "Predictions"),
        ("AWS_REGION", "eu-central-1"),
    ];

    #[test]
    fn the_line_break_at_the_end_of_a_secret_is_not_part_of_it() {
        let redis =
            redis(&[("REDIS_URL", "redis://host"), ("REDIS_USERNAME", "user\n"), ("REDIS_PASSWORD", " s \r\n")]);
        let settings = redis.connection.redis_settings();
        assert_eq!((settings.username(), settings.password()), (Some("user"), Some(" s ")));
    }

    #[test]
    fn a_redis_url_enables_redis_with_its_ttl_and_timeouts() {
        let redis = redis(&[("REDIS_URL", "redis://10.0.0.7:6380/2"), ("CACHE_TTL_SECONDS", "60")]);
        assert_eq!(redis.connection.addr().to_string(), "10.0.0.7:6380");
        assert_eq!(redis.ttl, Duration::from_secs(60));
        assert_eq!((redis.read_timeout, redis.write_timeout), (Duration::from_millis(50), Duration::from_millis(250)));
        assert!(!redis.cluster && redis.iam.is_none());
    }

    #[test]
    fn iam_reads_the_user_the_cache_and_the_region() {
        let iam = redis(&IAM).iam.expect("IAM");
        assert_eq!((&*iam.cache, &*iam.user, &*iam.region), ("predictions", "predict-once", "eu-central-1"));
    }

    #[test]
    fn iam_is_refused_over_plaintext_and_without_its_required_settings() {
        let plain: Vec<_> = IAM
            .map(|(name, value)| (name, if name == "REDIS_URL" { "redis://predictions.example" } else { value }))
            .into();
        assert_eq!(settings(&plain).expect_err("plaintext").variable, "REDIS_AUTH");
        for missing in ["REDIS_USERNAME", "REDIS_IAM_CACHE_NAME", "AWS_REGION"] {
            let others: Vec<_> = IAM.into_iter().filter(|(name, _)| *name != missing).collect();
            assert_eq!(settings(&others).expect_err(missing).variable, missing);
        }
    }

    #[test]
    fn an_invalid_value_is_reported_with_its_variable_and_the_allowed_values() {
        let url = "must be redis://[user[:password]@]host[:port][/database], or rediss:// for TLS";
        for (variable, value, problem) in [
            ("CACHE_TTL_SECONDS", "0", "must be a whole number from 1 to 31536000"),
            ("CACHE_TTL_SECONDS", "a day", "must be a whole number from 1 to 31536000"),
            ("CACHE_READ_TIMEOUT_MS", "-1", "must be a whole number from 1 to 10000"),
            ("CACHE_WRITE_TIMEOUT_MS", "60001", "must be a whole number from 1 to 60000"),
            ("CACHE_LAYOUT", "list", "must be string, hash or output"),
            ("REDIS_CLUSTER", "yes", "must be true or false"),
            ("REDIS_IAM_SERVERLESS", "1", "must be true or false"),
            ("REDIS_AUTH", "kerberos", "must be password or iam"),
            ("REDIS_URL", "localhost:6379", "must start with redis:// or rediss://"),
            ("REDIS_URL", "redis://", url),
            ("REDIS_URL", "rediss://host:port", url),
            ("REDIS_URL", "redis://a,b:6379", url),
            ("REDIS_URL", "redis://a,redis://b", "may have several addresses only with REDIS_CLUSTER=true"),
            ("REDIS_CONNECTION_MAX_AGE_SECONDS", "0", "must be a whole number from 1 to 43200"),
        ] {
            let found = settings(&[(variable, value)]).expect_err(value);
            assert_eq!(found, SettingsError { variable, problem: problem.to_owned() });
        }
        for (url, file) in [("redis://h", "/any"), ("rediss://h", "/does/not/exist"), ("rediss://h", "Cargo.toml")] {
            let found = settings(&[("REDIS_URL", url), ("REDIS_CA_FILE", file)]).expect_err(file);
            assert_eq!(found.variable, "REDIS_CA_FILE");
        }
    }

    #[test]
    fn no_password_appears_in_debug_output_or_in_an_error() {
        let valid = settings(&[("REDIS_URL", "redis://user:hunter2@localhost"), ("REDIS_PASSWORD", "hunter3")]);
        let valid = valid.expect("valid");
        let invalid = settings(&[("REDIS_URL", "redis://user:hunter2@localhost:port")]).expect_err("not a port");
        for text in [format!("{valid:?}"), format!("{valid:#?}"), invalid.to_string(), format!("{invalid:?}")] {
            assert!(!text.contains("hunter"), "{text}");
        }
    }
}
