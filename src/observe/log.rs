//! Log output: by default JSON under Lambda, and readable text elsewhere.

use std::{
    fs::File,
    io::{self, IsTerminal},
    os::fd::AsFd,
    panic::{self, PanicHookInfo},
    sync::OnceLock,
    time::Duration,
};

use model_package::EntryContent;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::{lines::Lines, sample::LogSample};
use crate::model::Model;

/// How long the process waits at its end for its last lines to be written.
const AT_EXIT: Duration = Duration::from_secs(1);

/// The same at a second stop signal.
const AT_SECOND_SIGNAL: Duration = Duration::from_millis(100);

/// How long an invocation waits for its line to be written before the environment may be frozen.
const AFTER_INVOCATION: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub struct LogSettings {
    /// The level of the service's own messages; those of other crates are logged from `warn`.
    pub log_level: LevelFilter,
    /// `None`: JSON under Lambda, text elsewhere.
    pub format: Option<LogFormat>,
    /// The hits whose lines are written.
    pub sample: LogSample,
    /// The CloudWatch namespace of the metrics.
    pub metrics_namespace: String,
    /// The value of the metric dimension `service`.
    pub service_name: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// An object.
    Json,
    /// For people.
    Text,
}

static SETTINGS: OnceLock<(LogSettings, bool)> = OnceLock::new();

/// The settings, only under Lambda, where log lines are JSON and carry metrics.
pub(super) fn metrics() -> Option<&'static LogSettings> {
    SETTINGS.get().filter(|(_, in_lambda)| *in_lambda).map(|(settings, _)| settings)
}

/// Counts a hit. Returns whether its line is written.
pub(super) fn takes_hit() -> bool {
    SETTINGS.get().is_none_or(|(settings, _)| settings.sample.takes_next())
}

/// The name and the fingerprint of the served model.
pub(super) static MODEL: OnceLock<(String, String)> = OnceLock::new();

static LINES: Lines = Lines::new();

/// Waits when dropped, for at most a second, until all lines have been written.
#[must_use = "when dropped, it waits for the lines to be written"]
pub struct FlushAtExit(());

impl Drop for FlushAtExit {
    fn drop(&mut self) {
        LINES.flush(AT_EXIT);
    }
}

/// Starts logging. Call it once per process.
///
/// # Errors
///
/// If standard output cannot be duplicated, or no thread can be started.
pub fn start(settings: LogSettings, in_lambda: bool, model: &Model) -> io::Result<FlushAtExit> {
    // Not `Stdout`, whose lock the process would wait for in other places while a write blocks.
    LINES.start(File::from(io::stdout().as_fd().try_clone_to_owned()?))?;
    MODEL.get_or_init(|| (model.signature().name.clone(), model.fingerprint(EntryContent::Answer).to_owned()));
    // Only warnings of other crates: at `trace`, lambda_runtime logs whole events, including the inputs.
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("predict_once", settings.log_level)
        .with_target("prediction_cache", settings.log_level)
        // For the span of an invocation, which adds the request id to the lines within it.
        .with_target("lambda_runtime::layers::trace", LevelFilter::INFO);
    let lines = fmt::layer().with_writer(|| &LINES);
    let default = if in_lambda { LogFormat::Json } else { LogFormat::Text };
    match settings.format.unwrap_or(default) {
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(true).with_span_list(false);
            tracing_subscriber::registry().with(lines.with_filter(targets)).init();
        }
        LogFormat::Text => {
            let lines = lines.with_ansi(io::stdout().is_terminal()).with_target(false).with_filter(targets);
            tracing_subscriber::registry().with(lines).init();
        }
    }
    SETTINGS.get_or_init(|| (settings, in_lambda));
    panic::set_hook(Box::new(log_panic));
    Ok(FlushAtExit(()))
}

/// Logs a panic as a line. The standard library writes it to standard error, which would block if its reader is stuck too.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let panic = panic.to_string().replace('\n', " ");
    tracing::error!(panic, "the service panicked");
}

/// Ends the process at once, with this exit code, however stuck the reader of its log is.
pub fn exit_now(code: i32) -> ! {
    LINES.flush(AT_SECOND_SIGNAL);
    std::process::exit(code)
}

/// Queues a line that ends with a line break. Returns whether there was room for it.
pub(super) fn write(line: &[u8]) -> bool {
    LINES.push(line)
}

/// Waits until an invocation's lines have been written, for 100 ms and no longer than it may take. A stuck reader costs that once: until
/// a write succeeds, the lines of further invocations only wait in the queue.
pub(super) fn flush_after_invocation(time_left: Option<Duration>) {
    LINES.flush_unless_stuck(time_left.map_or(AFTER_INVOCATION, |left| left.min(AFTER_INVOCATION)));
}

/// The number of lines that were dropped because the reader of standard output was too slow.
pub(crate) fn dropped() -> u64 {
    LINES.dropped()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Text(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Text {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_one_line_of_the_log() {
        let text = Text::default();
        let written = text.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || written.clone()).finish();
        let before = panic::take_hook();
        panic::set_hook(Box::new(log_panic));
        let ended = tracing::subscriber::with_default(subscriber, || panic::catch_unwind(|| panic!("two\nlines")));
        panic::set_hook(before);
        assert!(ended.is_err());
        let text = String::from_utf8(text.0.lock().clone()).expect("UTF-8");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("ERROR") && text.contains("log.rs") && text.contains("two lines"), "{text}");
    }
}
