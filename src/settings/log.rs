//! The settings of logs and metrics.

use tracing::level_filters::LevelFilter;

use super::{Environment, SettingsError, error};
use crate::observe::{
    log::{LogFormat, LogSettings},
    sample::LogSample,
};

pub(super) fn settings<L>(env: &Environment<L>) -> Result<LogSettings, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
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
    Ok(LogSettings {
        log_level,
        format: log_format,
        sample: LogSample::of(env.share("LOG_SAMPLE")?),
        metrics_namespace: or_name(env.get("POWERTOOLS_METRICS_NAMESPACE")?),
        service_name: or_name(env.get("POWERTOOLS_SERVICE_NAME")?),
    })
}
