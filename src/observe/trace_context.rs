//! Reads the trace that a request belongs to, from W3C Trace Context and X-Ray's trace header.

use http::{HeaderMap, HeaderName};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::traces::Parent;

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// A valid `traceparent` header (W3C Trace Context, level 1), in hexadecimal digits.
///
/// `TraceContextPropagator` (opentelemetry_sdk 0.33.1) also accepts fields that are too short or signed, such as `00-42-1-+1`, and
/// allocates a context for each request, even if only the log needs the trace id.
#[derive(Debug, PartialEq)]
pub(super) struct TraceParent<'a> {
    pub(super) trace: &'a str,
    span: &'a str,
    flags: &'a str,
}

impl<'a> TraceParent<'a> {
    /// `None` for an invalid header, which the recommendation says to ignore.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let value = value.to_str().ok()?;
        let mut parts = value.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_nonzero = |part: &str| part.bytes().any(|byte| byte != b'0');
        // Versions after 00 may have more parts.
        let valid = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let valid = valid && hex(trace, 32) && is_nonzero(trace) && hex(span, 16) && is_nonzero(span);
        (valid && hex(flags, 2)).then_some(Self { trace, span, flags })
    }
}

/// The parent of a request's span: the client's span (`traceparent`), otherwise Lambda's (the result of [`lambda`]), otherwise
/// the gateway's (`x-amzn-trace-id`).
pub(super) fn parent(headers: &HeaderMap, lambda: Option<&Parent>) -> Option<Parent> {
    let w3c = || {
        let TraceParent { trace, span, flags } = TraceParent::of(headers)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(of(TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?, Some(sampled), state(headers)))
    };
    let header = || x_ray(headers.get(X_AMZN_TRACE_ID)?.to_str().ok()?);
    w3c().or_else(|| lambda.cloned()).or_else(header)
}

/// Lambda's span for an invocation, if it is sampled. For a function without tracing, Lambda always sends `Sampled=0`, which is
/// not the sender's decision.
pub(super) fn lambda(header: &str) -> Option<Parent> {
    x_ray(header).filter(|parent| parent.sampled == Some(true))
}

/// Parses X-Ray's trace header: `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`. Gateways send only
/// the root.
///
/// `XrayPropagator` (opentelemetry-aws 0.21.0) accepts other versions and ids of the wrong length, and adds Lambda's `Lineage` to
/// the `tracestate`.
fn x_ray(header: &str) -> Option<Parent> {
    let (mut trace, mut span, mut sampled) = (None, SpanId::INVALID, None);
    for (name, value) in header.split(';').filter_map(|field| field.trim().split_once('=')) {
        match name {
            "Root" => {
                let (time, rest) = value.strip_prefix("1-")?.split_once('-')?;
                let valid = time.len() == 8 && rest.len() == 24;
                trace = valid.then(|| TraceId::from_hex(&format!("{time}{rest}")).ok()).flatten();
            }
            "Parent" => span = SpanId::from_hex(value).ok().filter(|_| value.len() == 16)?,
            // Other values, such as `?`, leave the decision to the receiver.
            "Sampled" => sampled = ["0", "1"].iter().position(|known| *known == value).map(|known| known == 1),
            _ => {}
        }
    }
    let trace = trace.filter(|trace| *trace != TraceId::INVALID)?;
    Some(of(trace, span, sampled, TraceState::default()))
}

fn of(trace: TraceId, span: SpanId, sampled: Option<bool>, state: TraceState) -> Parent {
    let flags = TraceFlags::default().with_sampled(sampled == Some(true));
    Parent { context: SpanContext::new(trace, span, flags, true, state), sampled }
}

/// Several `tracestate` headers form one list. An invalid list counts as empty.
fn state(headers: &HeaderMap) -> TraceState {
    let lines = headers.get_all(TRACESTATE).iter().map(|line| line.to_str());
    let list = lines.collect::<Result<Vec<_>, _>>().map(|lines| lines.join(","));
    list.ok().and_then(|list| list.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const W3C: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const X_RAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    fn headers(headers: &[(HeaderName, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn ids(parent: Option<Parent>) -> (String, String, Option<bool>) {
        let Parent { context, sampled } = parent.expect("valid");
        (context.trace_id().to_string(), context.span_id().to_string(), sampled)
    }

    #[test]
    fn an_invalid_traceparent_is_ignored() {
        const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
        let trace = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACEPARENT, HeaderValue::from_str(value).expect("a header value"));
            }
            TraceParent::of(&headers).map(|parent| parent.trace.to_owned())
        };
        let valid = format!("00-{TRACE}-b7ad6b7169203331-01");
        assert_eq!(trace(&[&valid]).as_deref(), Some(TRACE));
        assert_eq!(trace(&[&format!("cc-{TRACE}-b7ad6b7169203331-01-later-part")]).as_deref(), Some(TRACE));
        for invalid in [
            &format!("ff-{TRACE}-b7ad6b7169203331-01"),
            &format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            &format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-b7ad6b7169203331"),
            &format!("00-{TRACE}-b7ad6b7169203331-01-"),
            &format!("00-{TRACE}-b7ad6b7169203331-1"),
            &format!("00-{TRACE}-b7ad6b7169203331-+1"),
            &format!("0-{TRACE}-b7ad6b7169203331-01"),
            &format!("00-{}-b7ad6b7169203331-01", &TRACE[1..]),
            &format!("00-+{}-b7ad6b7169203331-01", &TRACE[1..]),
            &format!("00-{TRACE}-1-01"),
            &"nonsense".to_owned(),
        ] {
            assert_eq!(trace(&[invalid]), None, "{invalid}");
        }
        assert_eq!(trace(&[&valid, &valid]), None);
    }

    #[test]
    fn the_clients_trace_precedes_lambdas_which_precedes_the_gateways() {
        let lambdas =
            lambda("Root=1-00000001-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=aaaaaaaaaaaaaaaa;Sampled=1;Lineage=1:a87bd80c:0");
        let both = headers(&[(TRACEPARENT, W3C), (X_AMZN_TRACE_ID, X_RAY)]);
        let w3c = ("0af7651916cd43dd8448eb211c80319c".to_owned(), "b7ad6b7169203331".to_owned(), Some(true));
        assert_eq!(ids(parent(&both, lambdas.as_ref())), w3c);
        let header = headers(&[(X_AMZN_TRACE_ID, X_RAY)]);
        assert_eq!(ids(parent(&header, lambdas.as_ref())).1, "aaaaaaaaaaaaaaaa");
        let x_ray = ("5759e988bd862e3fe1be46a994272793".to_owned(), "53995c3f42cd8ad8".to_owned(), Some(true));
        assert_eq!(ids(parent(&header, None)), x_ray);
        assert_eq!(parent(&HeaderMap::new(), None), None);
    }

    #[test]
    fn an_x_ray_header_may_leave_the_span_and_the_decision_open() {
        let root = "Root=1-67891233-abcdef012345678912345678";
        let trace = "67891233abcdef012345678912345678".to_owned();
        for (header, span, sampled) in [
            (root.to_owned(), "0000000000000000", None),
            (format!("Self=1-67891233-12456789abcdef0123456789;{root}"), "0000000000000000", None),
            (format!("{root};Parent=53995c3f42cd8ad8;Sampled=?"), "53995c3f42cd8ad8", None),
            (format!("{root}; Parent=53995c3f42cd8ad8; Sampled=0"), "53995c3f42cd8ad8", Some(false)),
        ] {
            assert_eq!(ids(x_ray(&header)), (trace.clone(), span.to_owned(), sampled), "{header}");
        }
        for invalid in [
            "",
            "Parent=53995c3f42cd8ad8;Sampled=1",
            "Root=2-67891233-abcdef012345678912345678",
            "Root=1-67891233abcdef01-2345678912345678",
            "Root=1-67891233-abcdef01234567891234567g",
            "Root=1-00000000-000000000000000000000000",
            "Root=1-67891233-abcdef012345678912345678;Parent=5399",
        ] {
            assert_eq!(x_ray(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn lambdas_unsampled_span_is_ignored() {
        assert_eq!(lambda("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"), None);
        assert!(lambda(X_RAY).is_some());
    }

    #[test]
    fn a_tracestate_is_kept_if_it_is_valid() {
        let kept = |state: &'static str| {
            let parent = parent(&headers(&[(TRACEPARENT, W3C), (TRACESTATE, state)]), None);
            parent.expect("valid").context.trace_state().header()
        };
        assert_eq!(kept("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"), "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
        assert_eq!(kept("nonsense"), "");
    }
}
