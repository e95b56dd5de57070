//! Tokens for ElastiCache's IAM authentication: a presigned request that is never sent, in place of a password.
//!
//! The form is AWS's: a `GET` of `http://<cache>/?Action=connect&User=<user>`, signed for the service `elasticache` with
//! Signature Version 4 in the query, valid for 900 seconds, without its scheme.
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html>

use std::{
    pin::Pin,
    time::{Duration, SystemTime},
};

use ::redis::{BasicAuth, ErrorKind, RedisError, RedisResult, StreamingCredentialsProvider};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningError, SigningSettings, sign},
    sign::v4,
};
use futures_util::{Stream, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

const VALID_FOR: Duration = Duration::from_secs(900);

/// How often a connection authenticates again. ElastiCache closes it 12 hours after the last authentication.
const RENEWAL: Duration = Duration::from_secs(11 * 60 * 60);

/// Makes tokens for one user of one cache.
#[derive(Clone, Debug)]
pub struct IamTokens {
    /// The cache's name, in lower case.
    pub cache: String,
    /// The ElastiCache user's id, which is also its name.
    pub user: String,
    /// The cache's region.
    pub region: String,
    /// Whether the cache is serverless.
    pub serverless: bool,
    /// The credentials that sign. A Lambda function has its role's in the environment.
    pub credentials: SharedCredentialsProvider,
}

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IamError {
    #[error("no AWS credentials: {0}")]
    Credentials(#[from] CredentialsError),
    #[error("cannot sign the IAM token: {0}")]
    Signing(#[from] SigningError),
}

impl IamTokens {
    /// A token that is valid for 15 minutes from `now`. With credentials from the environment it takes microseconds and no
    /// network, so each connection gets its own.
    ///
    /// # Errors
    ///
    /// If there are no credentials, or the cache's name does not form a valid URL.
    pub async fn mint(&self, now: SystemTime) -> Result<String, IamError> {
        self.sign(self.credentials.provide_credentials().await?, now)
    }

    /// A token that is valid for 15 minutes from `now`, with these credentials.
    ///
    /// # Errors
    ///
    /// If the cache's name does not form a valid URL.
    pub fn sign(&self, credentials: Credentials, now: SystemTime) -> Result<String, IamError> {
        let user = percent_encode(&self.user);
        let kind = if self.serverless { "&ResourceType=ServerlessCache" } else { "" };
        let url = format!("http://{}/?Action=connect&User={user}{kind}", self.cache);
        let identity = credentials.into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(VALID_FOR);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("elasticache")
            .time(now)
            .settings(settings)
            .build()
            .expect("every parameter is set")
            .into();
        let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))?;
        let (instructions, _) = sign(request, &parameters)?.into_parts();
        let mut token = url["http://".len()..].to_owned();
        let mut parameters: Vec<_> = instructions.params().iter().collect();
        // AWS's own tools put the signature last.
        parameters.sort_by_key(|(name, _)| *name == "X-Amz-Signature");
        for (name, value) in parameters {
            token.push('&');
            token.push_str(name);
            token.push('=');
            token.extend(percent_encode(value));
        }
        Ok(token)
    }
}

/// Every connection, to any node of a cluster, starts with its own token, and authenticates again before ElastiCache would close
/// it.
impl StreamingCredentialsProvider for IamTokens {
    fn subscribe(&self) -> Pin<Box<dyn Stream<Item = RedisResult<BasicAuth>> + Send + 'static>> {
        Box::pin(stream::unfold((self.clone(), Duration::ZERO), async |(tokens, wait)| {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let token = tokens.mint(SystemTime::now()).await;
            let auth = token.map(|token| BasicAuth::new(tokens.user.clone(), token));
            let failed =
                |error: IamError| RedisError::from((ErrorKind::AuthenticationFailed, "IAM", error.to_string()));
            Some((auth.map_err(failed), (tokens, RENEWAL)))
        }))
    }
}

/// Percent-encodes all but the unreserved characters, as Signature Version 4 requires.
fn percent_encode(text: &str) -> PercentEncode<'_> {
    const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, &RESERVED)
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use serde::Deserialize;

    use super::*;

    /// A case of `tests/iam/golden.json`, with the token that botocore signs (`tests/regenerate iam`).
    #[derive(Deserialize)]
    struct Case {
        cache: String,
        user: String,
        region: String,
        serverless: bool,
        access_key_id: String,
        secret_access_key: String,
        session_token: Option<String>,
        unix_time: u64,
        token: String,
    }

    #[test]
    fn a_token_is_byte_for_byte_the_one_that_botocore_signs() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../../../tests/iam/golden.json")).expect("JSON");
        assert!(!cases.is_empty());
        for case in cases {
            let credentials =
                Credentials::new(case.access_key_id, case.secret_access_key, case.session_token, None, "test");
            let tokens = IamTokens {
                cache: case.cache,
                user: case.user,
                region: case.region,
                serverless: case.serverless,
                credentials: SharedCredentialsProvider::new(credentials.clone()),
            };
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(case.unix_time);
            assert_eq!(tokens.sign(credentials, now).expect("signed"), case.token);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_begins_with_a_token_and_gets_another_before_twelve_hours_have_passed() {
        let tokens = IamTokens {
            cache: "predictions".to_owned(),
            user: "user".to_owned(),
            region: "eu-central-1".to_owned(),
            serverless: false,
            credentials: SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")),
        };
        let mut stream = tokens.subscribe();
        let start = tokio::time::Instant::now();
        for hours in [0, 11, 22] {
            let token = stream.next().await.expect("it does not end").expect("signed");
            assert_eq!(token.username(), "user");
            assert!(token.password().starts_with("predictions/?Action=connect&User=user&X-Amz-"), "{token:?}");
            assert_eq!(start.elapsed().as_secs() / 3600, hours);
        }
    }
}
