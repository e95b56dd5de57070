//! Where log lines go: readable lines outside Lambda, JSON under it.

use std::{io::IsTerminal, sync::OnceLock};

use model_package::Stored;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::model::Model;

/// Where logs and metrics go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The level of this crate's own messages.
    pub log_level: LevelFilter,
    /// The CloudWatch namespace of the metrics.
    pub metrics_namespace: String,
    /// The value of the metrics' dimension `service`.
    pub service_name: String,
}

/// Present under Lambda only: there the lines are JSON, and metrics are written.
pub(super) static METRICS: OnceLock<LogSettings> = OnceLock::new();

/// The name and the fingerprint of the model that this process serves.
pub(super) static MODEL: OnceLock<(String, String)> = OnceLock::new();

/// Starts logging, once per process, for a service of this model.
pub fn start(settings: LogSettings, in_lambda: bool, model: &Model) {
    MODEL.get_or_init(|| (model.signature().name.clone(), model.fingerprint(Stored::Answer).to_owned()));
    // From other crates, only warnings: at `trace`, lambda_runtime logs whole events, including the inputs.
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("predict_once", settings.log_level)
        .with_target("prediction_cache", settings.log_level)
        // Only the span of an invocation, which adds the request id to the lines within.
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
