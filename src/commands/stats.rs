//! `predict-once stats [URL]`: what a running process counts, from its metrics.

use std::{
    fmt::{self, Display, Formatter},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use cache_tools::format::{bytes, count, duration, percent, plural, row};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lexopt::{
    Arg::{Long, Value},
    Parser, ValueExt,
};
use predict_once::{
    server::stats::{Latency, Predictions, Stats, Times},
    settings::{MetricsPlace, ServerSettings, Settings},
};
use tokio::{net::TcpStream, time::timeout};

use super::print;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Far more than the metrics of a model with hundreds of endpoints.
const MAX_BYTES: usize = 16 * 1024 * 1024;

pub(super) fn run(arguments: Parser) -> anyhow::Result<ExitCode> {
    let (url, json) = parse(arguments)?;
    let url = match url {
        Some(url) => url,
        None => default_url(&Settings::from_env()?.server),
    };
    let uri = metrics_uri(&url).with_context(|| format!("{url} is not the URL of a metrics address"))?;
    let metrics = crate::on_this_thread(async {
        timeout(TIMEOUT, fetch(&uri)).await.unwrap_or_else(|_| bail!("no answer within {} seconds", TIMEOUT.as_secs()))
    });
    let metrics = metrics.with_context(|| uri.to_string())?;
    let Some(stats) = Stats::read(&metrics, SystemTime::now()) else {
        bail!("{uri} has no metrics of predict-once");
    };
    print(&if json { serde_json::to_string_pretty(&stats)? } else { Table(&stats).to_string() })
}

/// Parses `[URL] [--json]`.
fn parse(mut arguments: Parser) -> Result<(Option<String>, bool), lexopt::Error> {
    let (mut url, mut json) = (None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => json = true,
            Value(value) if url.is_none() => url = Some(value.string()?),
            extra => return Err(extra.unexpected()),
        }
    }
    Ok((url, json))
}

/// Where a service with these settings has its metrics, on this machine.
fn default_url(settings: &ServerSettings) -> String {
    match settings.metrics {
        Some(MetricsPlace::At(address)) if address.ip().is_unspecified() => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()).to_string()
        }
        Some(MetricsPlace::At(address)) => address.to_string(),
        Some(MetricsPlace::WithService) | None => format!("127.0.0.1:{}", settings.port),
    }
}

/// `/metrics` at a URL, or at a host and port.
fn metrics_uri(url: &str) -> anyhow::Result<Uri> {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let uri: Uri = url.parse()?;
    let authority = uri.authority().context("there is no host")?;
    if uri.scheme_str() != Some("http") {
        bail!("only http:// is supported");
    }
    Ok(format!("http://{authority}/metrics").parse()?)
}

async fn fetch(uri: &Uri) -> anyhow::Result<String> {
    // The host of a URL with an IPv6 address is in brackets.
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await.context("cannot connect")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(uri.path()).header(header::HOST, authority).body(Empty::<&[u8]>::new())?;
    let response = sender.send_request(request).await?;
    if response.status() == StatusCode::NOT_FOUND {
        bail!("there are no metrics. Start the service with METRICS_ADDRESS=127.0.0.1:9090, and ask that address");
    }
    if response.status() != StatusCode::OK {
        bail!("{}", response.status());
    }
    let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(anyhow::Error::from_boxed)?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

/// The numbers, for people.
struct Table<'a>(&'a Stats);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Stats { version, model, fingerprint, uptime_seconds, .. } = self.0;
        let up = duration(Duration::from_secs(*uptime_seconds));
        row(f, "model", format_args!("{model} {fingerprint}"))?;
        row(
            f,
            "service",
            format_args!(
                "predict-once {version}, up {up}, {}",
                plural(self.0.connections, "connection", "connections")
            ),
        )?;
        self.predictions(f)?;
        self.latency(f)?;
        self.cache(f)?;
        self.problems(f)
    }
}

impl Table<'_> {
    fn predictions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        row(f, "hit ratio", Ratio(&self.0.all_predictions()))?;
        for (endpoint, predictions) in self.0.predictions.iter().filter(|(_, predictions)| predictions.count() > 0) {
            row(f, &format!("  {endpoint}"), Ratio(predictions))?;
        }
        Ok(())
    }

    fn latency(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, source) in [("from memory", "memory"), ("from the store", "store"), ("from the model", "model")] {
            if let Some(Latency { requests, median_ms: Some(median), p99_ms: Some(p99) }) = self.0.latency.get(source) {
                let requests = plural(*requests, "request", "requests");
                row(
                    f,
                    name,
                    format_args!("{} median, {} at the 99th percentile of {requests}", ms(*median), ms(*p99)),
                )?;
            }
        }
        for (name, times) in [("lookups", &self.0.lookups), ("model runs", &self.0.runs), ("writes", &self.0.writes)] {
            if let Times { count: number, mean_ms: Some(mean) } = times {
                row(f, name, format_args!("{}, {} on average", count(*number), ms(*mean)))?;
            }
        }
        Ok(())
    }

    fn cache(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let entries = plural(self.0.memory_entries, "entry", "entries");
        row(f, "memory", format_args!("{entries}, {}", bytes(self.0.memory_bytes)))?;
        let open: Vec<_> = self
            .0
            .breakers_open
            .iter()
            .filter(|(_, is_open)| **is_open)
            .map(|(commands, _)| commands.as_str())
            .collect();
        match (self.0.breakers_open.is_empty(), open.is_empty()) {
            (true, _) => row(f, "store", "none"),
            (false, true) => row(f, "store", "answers"),
            (false, false) => row(
                f,
                "store",
                format_args!(
                    "does not answer: circuit breaker open for {}, one attempt per second",
                    open.join(" and ")
                ),
            ),
        }?;
        match self.0.failed_writes {
            0 => Ok(()),
            failed => row(f, "", format_args!("{} failed", plural(failed, "write", "writes"))),
        }
    }

    fn problems(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Stats { runs_in_progress, runs_waiting, refused, log_lines_dropped, errors, .. } = self.0;
        let refused = plural(*refused, "request", "requests");
        row(f, "long runs", format_args!("{runs_in_progress} running, {runs_waiting} waiting, {refused} refused"))?;
        row(f, "log lines dropped", count(*log_lines_dropped))?;
        let errors: Vec<_> = errors.iter().map(|(kind, number)| format!("{} {kind}", count(*number))).collect();
        let errors = if errors.is_empty() { "none".to_owned() } else { errors.join(", ") };
        write!(f, "{:<20} {errors}", "errors")
    }
}

/// The hit ratio of predictions, and their numbers by outcome.
struct Ratio<'a>(&'a Predictions);

impl Display for Ratio<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Predictions { hit_memory, hit_redis, hit_dynamodb, miss, unavailable, bypass } = *self.0;
        let all = self.0.count();
        if all == 0 {
            return f.write_str("no predictions yet");
        }
        write!(f, "{} of {}:", percent(self.0.hits() as f64 / all as f64), plural(all, "prediction", "predictions"))?;
        let outcomes = [
            (hit_memory, "from memory"),
            (hit_redis, "from Redis"),
            (hit_dynamodb, "from DynamoDB"),
            (miss, "not in the cache"),
            (unavailable, "because the cache did not answer"),
            (bypass, "not looked up"),
        ];
        let outcomes = outcomes.into_iter().filter(|(number, _)| *number > 0);
        for (position, (number, outcome)) in outcomes.enumerate() {
            write!(f, "{} {} {outcome}", if position == 0 { "" } else { "," }, count(number))?;
        }
        Ok(())
    }
}

/// Milliseconds with three significant digits.
fn ms(milliseconds: f64) -> String {
    let digits = (2.0 - milliseconds.max(1e-4).log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{milliseconds:.digits$} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_port_or_any_page_of_it_leads_to_its_metrics() {
        for url in ["127.0.0.1:9090", "http://127.0.0.1:9090", "http://127.0.0.1:9090/dashboard"] {
            assert_eq!(metrics_uri(url).expect("valid").to_string(), "http://127.0.0.1:9090/metrics");
        }
        assert_eq!(metrics_uri("[::1]:9090").expect("valid").host(), Some("[::1]"));
        for url in ["https://127.0.0.1:9090", "http://", "", "one two"] {
            assert!(metrics_uri(url).is_err(), "{url}");
        }
    }

    #[test]
    fn milliseconds_have_three_significant_digits() {
        let shown = [0.0123, 0.5, 1.0, 12.34, 1234.5].map(ms);
        assert_eq!(shown, ["0.0123 ms", "0.500 ms", "1.00 ms", "12.3 ms", "1234 ms"]);
    }
}
