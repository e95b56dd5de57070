//! The settings of the model.

use std::path::PathBuf;

use aws_client::{Endpoint, Service};

use super::{Environment, SettingsError, aws, error};

/// The model to serve.
#[derive(Debug)]
pub struct ModelSettings {
    /// * `MODEL_DIR`: the directory of a model package.
    /// * `MODEL_URI`: `s3://bucket/key` of a package, as a tar archive, compressed with gzip or not. Needs `AWS_REGION` and the credentials
    ///   in the environment. Overrides `MODEL_DIR`.
    /// * `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`: another address of S3; default: the region's.
    ///
    /// Default: the embedded package.
    pub source: ModelSource,
    /// `MODEL_FINGERPRINT`: 16 hexadecimal digits. The service does not start if the model's fingerprint differs.
    pub fingerprint: Option<String>,
}

/// Where a model package is.
#[derive(Debug)]
pub enum ModelSource {
    Embedded,
    Directory(PathBuf),
    Remote(Box<Remote>),
}

/// An object in S3.
#[derive(Debug)]
pub struct Remote {
    /// The value of `MODEL_URI`.
    pub uri: String,
    /// The path of the object at the service's endpoint, percent-encoded only where `MODEL_URI` is.
    pub path: String,
    pub service: Service,
}

pub(super) fn settings<L>(env: &Environment<L>) -> Result<ModelSettings, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let is_fingerprint = |text: &String| {
        text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let fingerprint = env.get("MODEL_FINGERPRINT")?;
    if fingerprint.as_ref().is_some_and(|text| !is_fingerprint(text)) {
        return Err(error("MODEL_FINGERPRINT", "must be 16 digits of 0-9 and a-f"));
    }
    let source = match (env.get("MODEL_URI")?, env.get("MODEL_DIR")?) {
        (None, None) => ModelSource::Embedded,
        (None, Some(directory)) => ModelSource::Directory(directory.into()),
        (Some(uri), _) => ModelSource::Remote(Box::new(remote(env, uri)?)),
    };
    Ok(ModelSettings { source, fingerprint })
}

fn remote<L>(env: &Environment<L>, uri: String) -> Result<Remote, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let of_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    // What S3 calls safe: these characters need no encoding.
    let of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    let parts = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    let parts = parts.filter(|(bucket, key)| {
        (3..=63).contains(&bucket.len()) && bucket.chars().all(of_bucket) && !key.is_empty() && key.chars().all(of_key)
    });
    let invalid = || error("MODEL_URI", "must be s3://bucket/key, with a key of A-Z, a-z, 0-9, `/`, `.`, `_` and `-`");
    let (bucket, key) = parts.ok_or_else(invalid)?;
    let mut service = aws::service(env, "s3", "AWS_ENDPOINT_URL_S3", "MODEL_URI")?;
    // AWS prefers the bucket in the host name. A dot in it does not match the certificate, and emulators have no such names.
    let own = Endpoint::of("s3", &service.region);
    let with_bucket = Endpoint::of(&format!("{bucket}.s3"), &service.region).filter(|_| !bucket.contains('.'));
    let path = match with_bucket {
        Some(endpoint) if Some(&service.endpoint) == own.as_ref() => {
            service.endpoint = endpoint;
            format!("/{key}")
        }
        _ => format!("/{bucket}/{key}"),
    };
    Ok(Remote { path, service, uri })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    const REGION: (&str, &str) = ("AWS_REGION", "eu-central-1");

    fn remote(variables: &[(&str, &str)]) -> Remote {
        match settings(variables).expect("valid").model.source {
            ModelSource::Remote(remote) => *remote,
            other => panic!("MODEL_URI is set: {other:?}"),
        }
    }

    #[test]
    fn the_bucket_is_in_the_host_name_unless_it_has_a_dot_or_the_endpoint_is_another() {
        let object = remote(&[("MODEL_URI", "s3://models/a/b.tar"), REGION]);
        assert_eq!((Some(object.service.endpoint), &*object.path), (Endpoint::of("models.s3", REGION.1), "/a/b.tar"));
        let object = remote(&[("MODEL_URI", "s3://my.models/b.tar"), REGION]);
        assert_eq!((Some(object.service.endpoint), &*object.path), (Endpoint::of("s3", REGION.1), "/my.models/b.tar"));
        remote(&[("MODEL_URI", "s3://models/a/b.tar"), ("MODEL_DIR", "/model"), REGION]);
        let emulator = ("AWS_ENDPOINT_URL_S3", "http://h:1");
        let object = remote(&[("MODEL_URI", "s3://models/b.tar"), REGION, emulator]);
        assert_eq!((Some(object.service.endpoint), &*object.path), (Endpoint::parse("http://h:1"), "/models/b.tar"));
    }

    #[test]
    fn an_invalid_place_or_fingerprint_is_refused_by_name() {
        let uri = "must be s3://bucket/key, with a key of A-Z, a-z, 0-9, `/`, `.`, `_` and `-`";
        for (variables, variable, problem) in [
            (vec![("MODEL_URI", "https://h/a.tar"), REGION], "MODEL_URI", uri),
            (vec![("MODEL_URI", "s3://models"), REGION], "MODEL_URI", uri),
            (vec![("MODEL_URI", "s3://models/"), REGION], "MODEL_URI", uri),
            (vec![("MODEL_URI", "s3://models/a b"), REGION], "MODEL_URI", uri),
            (vec![("MODEL_URI", "s3://Models/a"), REGION], "MODEL_URI", uri),
            (vec![("MODEL_URI", "s3://models/a")], "AWS_REGION", "must be set with MODEL_URI"),
            (vec![("MODEL_FINGERPRINT", "50591A47E45516B8")], "MODEL_FINGERPRINT", "must be 16 digits of 0-9 and a-f"),
            (vec![("MODEL_FINGERPRINT", "50591a47")], "MODEL_FINGERPRINT", "must be 16 digits of 0-9 and a-f"),
        ] {
            let found = settings(&variables).expect_err(problem);
            assert_eq!(found, SettingsError { variable, problem: problem.to_owned() });
        }
    }
}
