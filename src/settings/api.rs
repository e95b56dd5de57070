//! The settings of the HTTP API.

use super::{Environment, SettingsError, error};
use crate::http::{AllowedHeaders, AllowedOrigins, ApiSettings, BasePaths, ClientCacheControl};

pub(super) fn settings<L>(env: &Environment<L>) -> Result<ApiSettings, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let base_paths = env.get("BASE_PATH")?;
    let base_paths =
        base_paths.map(|paths| BasePaths::parse(&paths).ok_or_else(|| error("BASE_PATH", BasePaths::ALLOWED)));
    let client_cache_control = match env.get("CLIENT_CACHE_CONTROL")?.as_deref() {
        None | Some("obey") => ClientCacheControl::Obey,
        Some("ignore") => ClientCacheControl::Ignore,
        Some(_) => return Err(error("CLIENT_CACHE_CONTROL", "must be obey or ignore")),
    };
    let origins = env.get("CORS_ALLOWED_ORIGINS")?;
    let origins = origins.map(|origins| {
        AllowedOrigins::parse(&origins).ok_or_else(|| error("CORS_ALLOWED_ORIGINS", AllowedOrigins::ALLOWED))
    });
    let headers = env.get("CORS_ALLOWED_HEADERS")?;
    let headers = headers.map(|headers| {
        AllowedHeaders::parse(&headers).ok_or_else(|| error("CORS_ALLOWED_HEADERS", AllowedHeaders::ALLOWED))
    });
    Ok(ApiSettings {
        base_paths: base_paths.transpose()?.unwrap_or_default(),
        client_cache_control,
        allowed_origins: origins.transpose()?,
        allowed_headers: headers.transpose()?.unwrap_or_default(),
    })
}
