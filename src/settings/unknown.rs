//! Variables that were probably meant as settings: a typo would otherwise leave the default in place without a word.

/// All settings.
pub(super) const VARIABLES: [&str; 66] = [
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "BASE_PATH",
    "CACHE_BYPASS",
    "CACHE_LAYOUT",
    "CACHE_NAMESPACE",
    "CACHE_PER_TENANT",
    "CACHE_READ_TIMEOUT_MS",
    "CACHE_SIGNING_KEY",
    "CACHE_STORE",
    "CACHE_STRATEGY",
    "CACHE_TTL_SECONDS",
    "CACHE_WRITE_TIMEOUT_MS",
    "CLIENT_CACHE_CONTROL",
    "CORS_ALLOWED_HEADERS",
    "CORS_ALLOWED_ORIGINS",
    "COST_PER_GB_SECOND",
    "DASHBOARD_INPUTS",
    "DYNAMODB_TABLE",
    "HEALTH_ADDRESS",
    "HOST",
    "KEEP_ALIVE_SECONDS",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "LOG_SAMPLE",
    "MAX_CONCURRENT_BODY_BYTES",
    "MAX_CONNECTIONS",
    "MEMORY_CACHE_BYTES",
    "MEMORY_CACHE_ENTRIES",
    "METRICS",
    "METRICS_ADDRESS",
    "MODEL_DIR",
    "MODEL_FINGERPRINT",
    "MODEL_QUEUE",
    "MODEL_THREADS",
    "MODEL_URI",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "PORT",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_SERVICE_NAME",
    "REDIS_AUTH",
    "REDIS_CA_FILE",
    "REDIS_CERT_FILE",
    "REDIS_CLUSTER",
    "REDIS_CONNECTION_MAX_AGE_SECONDS",
    "REDIS_IAM_CACHE_NAME",
    "REDIS_IAM_SERVERLESS",
    "REDIS_KEY_FILE",
    "REDIS_PASSWORD",
    "REDIS_URL",
    "REDIS_USERNAME",
    "SHUTDOWN_DELAY_SECONDS",
    "SHUTDOWN_TIMEOUT_SECONDS",
    "WORKERS",
];

/// Too short or too common to be guessed: variables that resemble these mean something else. So do those that resemble AWS's own, such as
/// `AWS_ENDPOINT_URL_SQS`.
const NOT_GUESSED: [&str; 4] = ["HOST", "METRICS", "PORT", "WORKERS"];

/// The edits (a letter more, less, other, or two swapped) by which a name may differ from a setting's.
const MAX_EDITS: usize = 2;

/// The names among `variables` that differ little from a setting's, each with that setting. Variables of other programs and of the
/// platform do not, such as `REDIS_PORT` or `PREDICT_ONCE_SERVICE_HOST` in a pod. A name is not reported if the setting that it resembles
/// is set too.
pub fn near_misses(variables: impl Iterator<Item = String> + Clone) -> Vec<(String, &'static str)> {
    let is_set = |setting: &str| variables.clone().any(|name| name == setting);
    let near = variables.clone().filter_map(|name| {
        let setting = meant(&name)?;
        (!is_set(setting)).then_some((name, setting))
    });
    let mut near: Vec<_> = near.collect();
    near.sort();
    near
}

/// The setting that a variable probably stands for: it has the name in another case or behind the service's name, it lacks its unit or
/// its last word (`CACHE_TTL`), or it has a typo.
fn meant(name: &str) -> Option<&'static str> {
    if VARIABLES.contains(&name) {
        return None;
    }
    let guessed =
        || VARIABLES.into_iter().filter(|setting| !NOT_GUESSED.contains(setting) && !setting.starts_with("AWS_"));
    let upper = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let bare = upper.strip_prefix("PREDICT_ONCE_").unwrap_or(&upper);
    let lacks_last_word = |setting: &&str| {
        let words = |name: &str| name.split('_').count();
        // OpenTelemetry has many more variables than those that are read here.
        let rest = setting.strip_prefix(bare).and_then(|rest| rest.strip_prefix('_'));
        words(bare) > 1 && !bare.starts_with("OTEL_") && rest.is_some_and(|rest| words(rest) == 1)
    };
    let edits = |setting: &str| strsim::damerau_levenshtein(setting, bare);
    let has_typo = |setting: &&str| setting.len().abs_diff(bare.len()) <= MAX_EDITS && edits(setting) <= MAX_EDITS;
    guessed()
        .find(|setting| *setting == bare)
        .or_else(|| guessed().filter(has_typo).min_by_key(|setting| edits(setting)))
        .or_else(|| guessed().find(lacks_last_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_names_the_setting_that_was_meant() {
        for (name, setting) in [
            ("MODEL_DRI", "MODEL_DIR"),
            ("MODELDIR", "MODEL_DIR"),
            ("MODEL-DIR", "MODEL_DIR"),
            ("model_dir", "MODEL_DIR"),
            ("PREDICT_ONCE_MODEL_DIR", "MODEL_DIR"),
            ("PREDICT_ONCE_REDIS_URI", "REDIS_URL"),
            ("REDIS_URI", "REDIS_URL"),
            ("REDIS_PASSWROD", "REDIS_PASSWORD"),
            ("CACHE_TTL", "CACHE_TTL_SECONDS"),
            ("CACHE_READ_TIMEOUT", "CACHE_READ_TIMEOUT_MS"),
            ("LOG_LEVLE", "LOG_LEVEL"),
            ("MAX_CONNECTION", "MAX_CONNECTIONS"),
            ("BASEPATH", "BASE_PATH"),
            ("OTEL_EXPORTER_OTLP_ENDPIONT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ] {
            assert_eq!(near_misses([name.to_owned()].into_iter()), [(name.to_owned(), setting)], "{name}");
        }
    }

    #[test]
    fn variables_of_others_are_not_guessed_about() {
        let foreign = [
            "PATH",
            "HOME",
            "HOSTNAME",
            "POST",
            "SORT",
            "WORKER",
            "METRIC",
            "TERM",
            "SHELL",
            "LANG",
            "TZ",
            "PWD",
            "USER",
            "LOGNAME",
            "AWS_REGIONS",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL_SQS",
            "AWS_ACCESS_KEY_ID",
            "AWS_LAMBDA_LOG_LEVEL",
            "REDIS_HOST",
            "REDIS_PORT",
            "REDIS_DB",
            "REDIS_SERVICE_HOST",
            "REDIS_PORT_6379_TCP",
            "KUBERNETES_PORT",
            "PREDICT_ONCE_PORT",
            "PREDICT_ONCE_SERVICE_HOST",
            "PREDICT_ONCE_SERVICE_PORT_METRICS",
            "PREDICT_ONCE_BIN",
            "EMBED_MODEL_DIR",
            "CACHE_DIR",
            "CACHE_URL",
            "MODEL_NAME",
            "MODEL",
            "CACHE",
            "REDIS",
            "MEMORY",
            "LOG_DIR",
            "RUST_LOG",
            "RUST_BACKTRACE",
            "CARGO_HOME",
            "XDG_CACHE_HOME",
            "PIP_CACHE_DIR",
            "OTEL_EXPORTER_OTLP",
            "OTEL_METRICS_EXPORTER",
            "OTEL_TRACES_EXPORTER",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            "OTEL_LOG_LEVEL",
            "SERVICE_NAME",
            "NO_PROXY",
            "HTTP_PROXY",
            "_",
        ];
        assert_eq!(near_misses(foreign.into_iter().map(str::to_owned)), []);
    }

    #[test]
    fn a_name_that_resembles_a_setting_that_is_set_is_another_programs() {
        let variables = ["REDIS_URI", "REDIS_URL", "MODEL_DRI"].map(str::to_owned);
        assert_eq!(near_misses(variables.into_iter()), [("MODEL_DRI".to_owned(), "MODEL_DIR")]);
    }
}
