//! The tracing settings: OpenTelemetry's own variables.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;

use super::{Environment, SettingsError, error};
use crate::observe::traces::TraceSettings;

/// `None` without an endpoint: the other variables are then ignored, since they may be meant for other software.
pub(super) fn settings<L>(env: &Environment<L>, service_name: &str) -> Result<Option<TraceSettings>, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    const GENERAL_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let (variable, url) = match (env.get(TRACES_ENDPOINT)?, env.get(GENERAL_ENDPOINT)?) {
        (Some(url), _) => (TRACES_ENDPOINT, url),
        (None, Some(url)) => (GENERAL_ENDPOINT, format!("{}/v1/traces", url.trim_end_matches('/'))),
        (None, None) => return Ok(None),
    };
    if env.flag("OTEL_SDK_DISABLED")? {
        return Ok(None);
    }
    match env.get("OTEL_EXPORTER_OTLP_PROTOCOL")?.as_deref() {
        None | Some("http/protobuf") => {}
        Some(_) => return Err(error("OTEL_EXPORTER_OTLP_PROTOCOL", "must be http/protobuf")),
    }
    let mut resource = vec![("service.name".to_owned(), service_name.to_owned())];
    resource.extend(pairs("OTEL_RESOURCE_ATTRIBUTES", env.get("OTEL_RESOURCE_ATTRIBUTES")?)?);
    // The last attribute of a name counts.
    resource.extend(env.get("OTEL_SERVICE_NAME")?.map(|name| ("service.name".to_owned(), name)));
    Ok(Some(TraceSettings {
        endpoint: endpoint(variable, &url)?,
        headers: headers(env.get("OTEL_EXPORTER_OTLP_HEADERS")?)?,
        timeout: Duration::from_millis(env.number("OTEL_EXPORTER_OTLP_TIMEOUT", 1_000, 1, 60_000)?),
        sampler: sampler(env)?,
        resource,
    }))
}

fn endpoint(variable: &'static str, url: &str) -> Result<Uri, SettingsError> {
    if url.starts_with("https://") {
        return Err(error(variable, "must start with http://: send traces to a collector nearby, which can use TLS"));
    }
    let uri = url.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("http"));
    // No user information: credentials belong in a header.
    let uri = uri.filter(|uri| uri.authority().is_some_and(|authority| !authority.as_str().contains('@')));
    uri.ok_or_else(|| error(variable, "must be http://host[:port][/path]"))
}

fn headers(text: Option<String>) -> Result<HeaderMap, SettingsError> {
    const VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";
    let pairs = pairs(VARIABLE, text)?.into_iter().map(|(name, value)| {
        let (name, mut value) = (HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        // The value is probably a key, so `Debug` must not show it.
        value.set_sensitive(true);
        Some((name, value))
    });
    pairs.collect::<Option<_>>().ok_or_else(|| error(VARIABLE, "must be names and values of HTTP headers"))
}

fn sampler<L>(env: &Environment<L>) -> Result<Sampler, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let ratio = env.share("OTEL_TRACES_SAMPLER_ARG")?;
    let name = env.get("OTEL_TRACES_SAMPLER")?;
    let name = name.as_deref().unwrap_or("parentbased_always_on");
    let by_parent = name.strip_prefix("parentbased_");
    let sampler = match by_parent.unwrap_or(name) {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(ratio),
        _ => {
            let allowed = "must be always_on, always_off, traceidratio, or one of these with parentbased_ before it";
            return Err(error("OTEL_TRACES_SAMPLER", allowed));
        }
    };
    Ok(if by_parent.is_some() { Sampler::ParentBased(Box::new(sampler)) } else { sampler })
}

/// Parses `name=value,name=value`, with the values percent-encoded.
fn pairs(variable: &'static str, text: Option<String>) -> Result<Vec<(String, String)>, SettingsError> {
    let text = text.unwrap_or_default();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        Some((name.trim().to_owned(), value.into_owned()))
    };
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty()).map(pair).collect::<Option<_>>();
    pairs.ok_or_else(|| error(variable, "must be name=value, separated by commas, with the values percent-encoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    fn read(variables: &[(&str, &str)]) -> Result<Option<TraceSettings>, SettingsError> {
        let env = Environment(|name| {
            Ok(variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        });
        settings(&env, "scores")
    }

    fn with(variables: &[(&'static str, &'static str)]) -> TraceSettings {
        read(&[&[ENDPOINT], variables].concat()).expect("valid").expect("an endpoint is set")
    }

    #[test]
    fn without_an_endpoint_tracing_is_off_and_other_variables_are_ignored() {
        let others =
            [("OTEL_SERVICE_NAME", "a"), ("OTEL_TRACES_SAMPLER", "xray"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
        assert!(read(&others).expect("ignored").is_none());
        assert!(read(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")]).expect("valid").is_none());
    }

    #[test]
    fn the_traces_endpoint_is_used_unchanged_and_the_general_one_gets_the_traces_path() {
        let posted_to = |variables| read(variables).expect("valid").expect("an endpoint").endpoint.to_string();
        let for_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:80/here");
        assert_eq!(posted_to(&[ENDPOINT]), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(posted_to(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1]/otlp/")]), "http://[::1]/otlp/v1/traces");
        assert_eq!(posted_to(&[ENDPOINT, for_traces]), "http://traces:80/here");
    }

    #[test]
    fn the_most_specific_service_name_wins() {
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=risk, deployment.environment.name=a%2Cb");
        let name = |variables: &[_]| {
            let resource = with(variables).resource;
            resource.into_iter().rfind(|(name, _)| name == "service.name").expect("a name").1
        };
        assert_eq!(name(&[]), "scores");
        assert_eq!(name(&[attributes]), "risk");
        assert_eq!(name(&[attributes, ("OTEL_SERVICE_NAME", "credit")]), "credit");
        let environment = ("deployment.environment.name".to_owned(), "a,b".to_owned());
        assert!(with(&[attributes]).resource.contains(&environment));
    }

    #[test]
    fn headers_are_decoded_and_never_shown() {
        let settings = with(&[("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=se%3Dcret,tenant=4")]);
        let value = |name| settings.headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!((value("x-api-key"), value("tenant")), (Some("se=cret"), Some("4")));
        assert!(!format!("{settings:?}").contains("cret"));
    }

    #[test]
    fn an_invalid_value_is_reported_with_its_variable_but_never_repeated() {
        const PAIRS: &str = "must be name=value, separated by commas, with the values percent-encoded";
        for (variable, value, problem) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "must be http://host[:port][/path]"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:pass@host", "must be http://host[:port][/path]"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "https://host",
                "must start with http://: send traces to a collector nearby, which can use TLS",
            ),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret", PAIRS),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x key=secret", "must be names and values of HTTP headers"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=%FF", PAIRS),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5", "must be a number from 0 to 1"),
            ("OTEL_TRACES_SAMPLER_ARG", "NaN", "must be a number from 0 to 1"),
        ] {
            let found = read(&[(variable, value), ENDPOINT]).expect_err(value);
            assert_eq!(found, SettingsError { variable, problem: problem.to_owned() });
        }
    }
}
