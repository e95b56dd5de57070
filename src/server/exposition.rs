//! The formats of Prometheus metrics: OpenMetrics, and the older text format for scrapers that do not read it.

use http::{HeaderMap, header};

/// A format, chosen by a request's `accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics 1.0.0. Prometheus prefers it.
    OpenMetrics,
    /// Prometheus' text format 0.0.4, which every scraper reads.
    Text,
}

impl Format {
    /// OpenMetrics if the client names it and does not prefer plain text; otherwise text, also without `accept` and for `*/*`.
    pub(super) fn of(request: &HeaderMap) -> Self {
        let weight = |media_type: &str| {
            let values = request.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
            let weights = values.flat_map(|value| value.split(',')).filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                parts.next().filter(|name| name.eq_ignore_ascii_case(media_type))?;
                let weight = parts.find_map(|parameter| parameter.strip_prefix("q="));
                Some(weight.map_or(1.0_f32, |weight| weight.trim().parse().unwrap_or(0.0)))
            });
            weights.fold(0.0, f32::max)
        };
        let open_metrics = weight("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= weight("text/plain") { Self::OpenMetrics } else { Self::Text }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Converts metrics in OpenMetrics to this format.
    pub(super) fn of_open_metrics(self, metrics: String) -> String {
        match self {
            Self::OpenMetrics => metrics,
            Self::Text => text(&metrics),
        }
    }
}

/// The text format has no type `info` and no units, and gives a counter's description and type under the name of its samples.
fn text(metrics: &str) -> String {
    let mut text = String::with_capacity(metrics.len());
    let mut help = "";
    for line in metrics.lines() {
        let words = |keyword: &str| line.strip_prefix(keyword)?.split_once(' ');
        if let Some((_, description)) = words("# HELP ") {
            help = description;
        } else if let Some((name, kind)) = words("# TYPE ") {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            text.push_str(&format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with("# ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn open_metrics_is_sent_to_scrapers_that_name_it_and_text_to_the_others() {
        let of = |accept: &'static str| {
            Format::of(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        for accept in [
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; version=1.0.0",
            // Prometheus 2 and 3.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        ] {
            assert_eq!(of(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain;version=0.0.4",
            "text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.5",
            "application/openmetrics-text;q=0, */*",
            "application/openmetrics-text;q=much",
            "text/html,application/xhtml+xml,*/*;q=0.8",
        ] {
            assert_eq!(of(accept), Format::Text, "{accept}");
        }
        assert_eq!(Format::of(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn the_text_format_has_only_what_its_parsers_know() {
        let metrics = "# HELP build Version.\n# TYPE build info\nbuild_info{version=\"1\"} 1\n# HELP requests Requests.\n# TYPE requests counter\n\
                       requests_total 1\n# HELP time_seconds Time.\n# TYPE time_seconds gauge\n# UNIT time_seconds seconds\ntime_seconds 1.0\n# EOF\n";
        let expected = "# HELP build_info Version.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n# HELP requests_total Requests.\n\
                        # TYPE requests_total counter\nrequests_total 1\n# HELP time_seconds Time.\n# TYPE time_seconds gauge\ntime_seconds 1.0\n";
        assert_eq!(text(metrics), expected);
    }
}
