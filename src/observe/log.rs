//! Log output: JSON under Lambda, readable text elsewhere.

use std::{io::IsTerminal, sync::OnceLock};

use model_package::Stored;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::model::Model;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The level of the service's own messages; those of other crates are logged from `warn`.
    pub log_level: LevelFilter,
    /// The CloudWatch namespace of the metrics.
    pub metrics_namespace: String,
    /// The value of the metric dimension `service`.
    pub service_name: String,
}

/// Set only under Lambda, where log lines are JSON and carry metrics.
pub(super) static METRICS: OnceLock<LogSettings> = OnceLock::new();

/// The name and the fingerprint of the served model.
pub(super) static MODEL: OnceLock<(String, String)> = OnceLock::new();

/// Starts logging. Call it once per process.
pub fn start(settings: LogSettings, in_lambda: bool, model: &Model) {
    MODEL.get_or_init(|| (model.signature().name.clone(), model.fingerprint(Stored::Answer).to_owned()));
    // Only warnings of other crates: at `trace`, lambda_runtime logs whole events, including the inputs.
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("predict_once", settings.log_level)
        .with_target("prediction_cache", settings.log_level)
        // For the span of an invocation, which adds the request id to the lines within it.
        .with_target("lambda_runtime::layers::trace", LevelFilter::INFO);
    let lines = fmt::layer();
    if in_lambda {
        let lines = lines.json().flatten_event(true).with_current_span(true).with_span_list(false).with_filter(targets);
        tracing_subscriber::registry().with(lines).init();
        METRICS.get_or_init(|| settings);
    } else {
        let lines = lines.with_ansi(std::io::stdout().is_terminal()).with_target(false).with_filter(targets);
        tracing_subscriber::registry().with(lines).init();
    }
}
