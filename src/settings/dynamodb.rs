//! The settings of the store in DynamoDB.

use prediction_cache::dynamodb::DynamoDbConfig;

use super::{Environment, SettingsError, aws, error, limits::Limits};

/// Only called with `CACHE_STORE=dynamodb`.
pub(super) fn config<L>(
    env: &Environment<L>,
    table: Option<String>,
    Limits { ttl, read_timeout, write_timeout }: Limits,
) -> Result<DynamoDbConfig, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let table = table.unwrap_or_else(|| "predict-once".to_owned());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !(3..=255).contains(&table.len()) || !table.chars().all(allowed) {
        return Err(error("DYNAMODB_TABLE", "must be 3 to 255 characters of A-Z, a-z, 0-9, `.`, `_` and `-`"));
    }
    let service = aws::service(env, "dynamodb", "AWS_ENDPOINT_URL_DYNAMODB", "CACHE_STORE=dynamodb")?;
    Ok(DynamoDbConfig { service, table, ttl, read_timeout, write_timeout })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_client::Endpoint;

    use super::*;
    use crate::settings::{StoreSettings, tests::settings};

    const DYNAMODB: [(&str, &str); 2] = [("CACHE_STORE", "dynamodb"), ("AWS_REGION", "eu-central-1")];

    fn dynamodb(more: &[(&str, &str)]) -> DynamoDbConfig {
        match settings(&[&DYNAMODB, more].concat()).expect("valid").cache.store {
            Some(StoreSettings::DynamoDb(config)) => *config,
            other => panic!("CACHE_STORE is dynamodb: {other:?}"),
        }
    }

    #[test]
    fn a_region_is_enough_for_a_table_in_dynamodb() {
        let config = dynamodb(&[("CACHE_TTL_SECONDS", "60")]);
        assert_eq!((&*config.table, config.ttl), ("predict-once", Duration::from_secs(60)));
        assert_eq!(Some(config.service.endpoint), Endpoint::of("dynamodb", "eu-central-1"));
        let config = dynamodb(&[("DYNAMODB_TABLE", "team-a.cache"), ("CACHE_READ_TIMEOUT_MS", "80")]);
        assert_eq!((&*config.table, config.read_timeout), ("team-a.cache", Duration::from_millis(80)));
    }

    #[test]
    fn the_url_of_a_service_overrides_that_of_all_services() {
        let (all, one) = (("AWS_ENDPOINT_URL", "http://h:1"), ("AWS_ENDPOINT_URL_DYNAMODB", "http://h:2"));
        assert_eq!(Some(dynamodb(&[all]).service.endpoint), Endpoint::parse("http://h:1"));
        assert_eq!(Some(dynamodb(&[all, one]).service.endpoint), Endpoint::parse("http://h:2"));
    }

    #[test]
    fn settings_of_dynamodb_that_are_missing_invalid_or_of_another_store_are_refused_by_name() {
        let layout = ("CACHE_LAYOUT", "hash");
        for (variables, variable, problem) in [
            (vec![DYNAMODB[0]], "AWS_REGION", "must be set with CACHE_STORE=dynamodb"),
            (vec![DYNAMODB[0], ("AWS_REGION", "a b")], "AWS_REGION", "must be the name of a region"),
            (vec![("CACHE_STORE", "memcached")], "CACHE_STORE", "must be redis or dynamodb"),
            (vec![("DYNAMODB_TABLE", "table")], "DYNAMODB_TABLE", "needs CACHE_STORE=dynamodb"),
            ([&DYNAMODB[..], &[layout]].concat(), layout.0, "must be string or output with CACHE_STORE=dynamodb"),
            (
                [&DYNAMODB[..], &[("REDIS_URL", "redis://h")]].concat(),
                "REDIS_URL",
                "must be unset with CACHE_STORE=dynamodb",
            ),
            (
                [&DYNAMODB[..], &[("DYNAMODB_TABLE", "a/b")]].concat(),
                "DYNAMODB_TABLE",
                "must be 3 to 255 characters of A-Z, a-z, 0-9, `.`, `_` and `-`",
            ),
            ([&DYNAMODB[..], &[("AWS_ENDPOINT_URL", "h:80")]].concat(), "AWS_ENDPOINT_URL", Endpoint::ALLOWED),
            (
                [&DYNAMODB[..], &[("AWS_ENDPOINT_URL_DYNAMODB", "h:80")]].concat(),
                "AWS_ENDPOINT_URL_DYNAMODB",
                Endpoint::ALLOWED,
            ),
        ] {
            let found = settings(&variables).expect_err(problem);
            assert_eq!(found, SettingsError { variable, problem: problem.to_owned() });
        }
        let file = ("AWS_CA_BUNDLE", "/does/not/exist");
        assert_eq!(settings(&[&DYNAMODB[..], &[file]].concat()).expect_err("no file").variable, file.0);
    }
}
