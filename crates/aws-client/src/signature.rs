//! Signature Version 4 in a request's headers.

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use http::{HeaderValue, header};
use http_body_util::Full;

use crate::{Error, Request, Service, connection};

/// The request as it is sent: with `host`, a date and a signature. It is valid for minutes, so a retry may send it again.
pub(crate) async fn signed(service: &Service, request: Request<'_>) -> Result<connection::Request, Error> {
    let credentials = service.credentials.provide_credentials().await;
    let credentials = credentials.map_err(|error| Error::Credentials(format!("no AWS credentials: {error}")))?;
    let url = service.endpoint.url(request.path);
    let unsignable = |error: &dyn std::fmt::Display| Error::Credentials(format!("cannot sign: {error}"));
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    if service.name == "s3" {
        // S3 takes a path as it is, and requires the body's digest as a header.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&service.region)
        .name(service.name)
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .expect("every parameter is set")
        .into();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
    let signable = SignableRequest::new(request.method.as_str(), &url, headers, SignableBody::Bytes(request.body))
        .map_err(|error| unsignable(&error))?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| unsignable(&error))?.into_parts();

    let host = HeaderValue::from_str(&service.endpoint.authority).map_err(|error| unsignable(&error))?;
    let mut signed = http::Request::new(Full::new(request.body.clone()));
    *signed.method_mut() = request.method.clone();
    *signed.uri_mut() = request.path.parse().map_err(|error| unsignable(&error))?;
    signed.headers_mut().insert(header::HOST, host);
    signed.headers_mut().extend(request.headers.iter().cloned());
    instructions.apply_to_request_http1x(&mut signed);
    Ok(signed)
}
