//! Traces: which spans are exported for a request and in which trace, and that no request waits for a collector or fails because of one.

use model_package::EntryContent;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};
use test_support::{
    applications::{aged, example, with},
    collector::{Collector, attribute, duration, hex},
    eventually, models,
    proxy::{Mode, Proxy},
    redis::Redis,
    rotel::Rotel,
    runtime_api::{RuntimeApi, Step},
    service::Service,
};
use tokio::net::TcpListener;

fn event(application: &Value) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["body"] = application.to_string().into();
    event
}

fn with_header(name: &str, value: &str) -> Value {
    let mut event = event(&example());
    event["headers"][name] = value.into();
    event
}

async fn to(collector: &Collector) -> Proxy {
    Proxy::start(collector.address, |_| {}).await
}

fn endpoint(proxy: &Proxy) -> String {
    format!("http://127.0.0.1:{}", proxy.port)
}

#[tokio::test]
async fn a_trace_has_the_request_and_its_steps_and_shows_what_the_cache_did() {
    let redis = Redis::start().await;
    let collector = Collector::start().await;
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(
        &api,
        &[
            ("REDIS_URL", &redis.url()),
            ("CACHE_LAYOUT", "hash"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=a%20key"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
            ("AWS_REGION", "eu-central-1"),
        ],
    );
    for _ in 0..2 {
        assert_eq!(api.invoke(&event(&example())).await.status(), 200);
        api.idle().await;
    }
    assert_eq!(api.invoke(&event(&json!({}))).await.status(), 422);
    let mut unknown = event(&example());
    unknown["rawPath"] = "/elsewhere".into();
    assert_eq!(api.invoke(&unknown).await.status(), 404);

    let traces = collector.traces(4).await;
    let [miss, hit, invalid, unmatched] = &traces[..] else { panic!("four traces: {traces:?}") };
    assert_eq!(miss.names(), ["parse", "lookup", "model", "write"]);
    assert_eq!(hit.names(), ["parse", "lookup"]);
    assert_eq!(invalid.names(), ["parse"]);
    assert_eq!(unmatched.names(), [""; 0]);

    let told =
        |span: &Span, names: &[&str]| names.iter().map(|name| attribute(&span.attributes, name)).collect::<Vec<_>>();
    let model = models::shipped();
    let of_model = ["predict_once.model.name", "predict_once.model.fingerprint"];
    let http =
        ["http.request.method", "http.route", "url.path", "url.scheme", "http.response.status_code", "error.type"];
    assert_eq!(miss.server.name, "POST /decisions");
    assert_eq!(told(&miss.server, &http), ["POST", "/decisions", "/decisions", "https", "200", ""]);
    assert_eq!(told(&miss.server, &of_model), ["credit_risk", model.fingerprint(EntryContent::Answer)]);
    assert_eq!(told(&miss.server, &["faas.trigger", "faas.invocation_id"]), ["http", "1"]);
    assert_eq!(told(&miss.server, &["predict_once.request_id"]), ["BqXkSh2yliAEJ9A="]);
    let cache = ["predict_once.cache.status", "predict_once.cache.layout", "predict_once.cache.stored"];
    assert_eq!(told(&miss.server, &cache), ["miss", "", ""]);
    assert_eq!(told(miss.step("lookup"), &cache), ["miss", "hash", ""]);
    assert_eq!(told(miss.step("model"), &["predict_once.model.inputs"]), ["1"]);
    assert_eq!(told(miss.step("model"), &of_model), ["credit_risk", model.fingerprint(EntryContent::Answer)]);
    assert_eq!(told(miss.step("write"), &cache), ["", "hash", "true"]);
    assert_eq!((&*told(&hit.server, &cache)[0], &*told(hit.step("lookup"), &cache)[0]), ("hit_redis", "hit_redis"));
    assert_eq!(told(&invalid.server, &http)[4..], ["422", ""]);
    assert_eq!(
        (&*unmatched.server.name, &told(&unmatched.server, &http)[1..3]),
        ("POST", &["".to_owned(), "".to_owned()][..])
    );

    let times = |span: &Span| (span.start_time_unix_nano, span.end_time_unix_nano);
    let steps: Vec<_> = miss.steps.iter().map(times).collect();
    assert!(
        steps.iter().all(|(start, end)| start <= end) && steps.is_sorted_by(|one, next| one.1 <= next.0),
        "{steps:?}"
    );
    let (start, end) = times(&miss.server);
    assert!(start <= steps[0].0 && steps[2].1 <= end, "the model ran before the response: {steps:?} in {start}..{end}");
    assert!(end <= steps[3].0, "the write came after the response: {steps:?} in {start}..{end}");

    let export = &collector.exports()[0];
    assert_eq!(export.headers["content-type"], "application/x-protobuf");
    assert_eq!(export.headers["x-api-key"], "a key");
    let resource = &export.request.resource_spans[0].resource.as_ref().expect("one").attributes;
    for (name, value) in [
        ("service.name", "predict-once"),
        ("deployment.environment.name", "test"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("faas.name", "predict-once"),
        ("cloud.region", "eu-central-1"),
    ] {
        assert_eq!(attribute(resource, name), value, "{name}");
    }
}

#[tokio::test]
async fn an_arrays_trace_shows_how_many_inputs_were_hits_and_how_many_the_model_ran_for() {
    let collector = Collector::start().await;
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]);
    api.invoke(&event(&aged(30))).await;
    api.invoke(&event(&json!([aged(30), aged(31), aged(32)]))).await;
    let traces = collector.traces(2).await;
    let told = |name| attribute(&traces[1].server.attributes, name);
    assert_eq!(
        ["predict_once.cache.status", "predict_once.inputs", "predict_once.cache.hits"].map(told),
        ["partial", "3", "1"]
    );
    assert_eq!(attribute(&traces[1].step("model").attributes, "predict_once.model.inputs"), "2");
}

#[tokio::test]
async fn a_lookup_after_the_response_is_its_own_step() {
    let redis = Redis::start().await;
    let collector = Collector::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    // So slow that the model is faster.
    proxy.set(Mode::Delay(Duration::from_millis(20)));
    let variables =
        [("REDIS_URL", &*proxy.url()), ("CACHE_STRATEGY", "auto"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())];
    let (service, http) = Service::local(&variables).await;
    let mut ages = (18..=117).cycle();
    let is_probed = || service.lines().iter().any(|line| line.contains("probe_ms="));
    while !is_probed() {
        http.post("/decisions", &aged(ages.next().expect("endless"))).await;
    }
    eventually("the probe is exported", || async { collector.spans().iter().any(|span| span.name == "probe") }).await;
    let probed = collector.traces(1).await.into_iter().find(|trace| trace.names().contains(&"probe")).expect("seen");
    assert_eq!(probed.names(), ["parse", "model", "probe"]);
    assert!(probed.server.end_time_unix_nano <= probed.step("probe").start_time_unix_nano);
}

#[tokio::test]
async fn a_request_belongs_to_the_trace_that_it_was_sent_in() {
    let collector = Collector::start().await;
    let mut api = RuntimeApi::start().await;
    let service = Service::lambda(&api, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]);
    let mut w3c = with_header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    w3c["headers"]["tracestate"] = "rojo=00f067aa0ba902b7".into();
    let gateways =
        with_header("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");
    let root_only = event(&example());
    let mut none = event(&example());
    none["headers"].as_object_mut().expect("an object").remove("x-amzn-trace-id");
    for event in [&w3c, &gateways, &root_only, &none] {
        api.invoke(event).await;
        api.idle().await;
    }
    // A function without tracing still gets a trace header, which has no meaning.
    api.trace("Root=1-00000001-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=aaaaaaaaaaaaaaaa;Sampled=0");
    // The first event was requested before the header was set.
    api.invoke(&root_only).await;
    api.invoke(&root_only).await;
    api.idle().await;
    api.trace("Root=1-00000002-bbbbbbbbbbbbbbbbbbbbbbbb;Parent=bbbbbbbbbbbbbbbb;Sampled=1");
    api.invoke(&root_only).await;
    api.invoke(&root_only).await;
    api.invoke(&w3c).await;
    api.idle().await;

    let traces = collector.traces(9).await;
    let [w3c, x_ray, root, own, _, passive, _, active, both] = &traces[..] else { panic!("nine: {traces:?}") };
    let ids = |span: &Span| (hex(&span.trace_id), hex(&span.parent_span_id));
    let of = |trace: &str, parent: &str| (trace.to_owned(), parent.to_owned());
    assert_eq!(ids(&w3c.server), of("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"));
    assert_eq!(ids(&x_ray.server), of("5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"));
    assert_eq!(ids(&root.server), of("674102f31f6a0c3e5d2b4a7988c0d1e2", ""));
    assert_eq!(ids(&passive.server), ids(&root.server));
    assert_eq!(ids(&active.server), of("00000002bbbbbbbbbbbbbbbbbbbbbbbb", "bbbbbbbbbbbbbbbb"));
    assert_eq!(ids(&both.server), ids(&w3c.server));
    let links: Vec<_> = both.server.links.iter().map(|link| hex(&link.span_id)).collect();
    assert_eq!(links, ["bbbbbbbbbbbbbbbb"], "the invocation's own span");
    assert!(active.server.links.is_empty());
    for trace in &traces {
        assert!(trace.steps.iter().all(|step| step.trace_id == trace.server.trace_id), "{trace:?}");
        assert!(trace.steps.iter().all(|step| step.trace_state == trace.server.trace_state), "{trace:?}");
    }
    assert_eq!(w3c.server.trace_state, "rojo=00f067aa0ba902b7");
    let (trace, parent) = ids(&own.server);
    assert!(parent.is_empty() && trace.bytes().any(|digit| digit != b'0'), "{trace} {parent}");

    let lines: Vec<_> = service.json_lines().into_iter().filter(|line| line["message"] == "request").collect();
    let logged: Vec<_> = lines.iter().map(|line| line["trace_id"].as_str().expect("text").to_owned()).collect();
    assert_eq!(logged, traces.iter().map(|trace| ids(&trace.server).0).collect::<Vec<_>>(), "the log has it too");
}

#[tokio::test]
async fn a_request_whose_sender_samples_it_out_is_not_exported_unless_the_sampler_says_so() {
    let sampled_out = [
        with_header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
        with_header("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"),
    ];
    let sampled = with_header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let undecided = event(&example());
    for (sampler, argument, expected) in [
        ("", "", 2),
        ("always_on", "", 4),
        ("always_off", "", 0),
        ("parentbased_always_off", "", 1),
        ("parentbased_traceidratio", "0", 1),
        ("traceidratio", "1", 4),
    ] {
        let collector = Collector::start().await;
        let mut api = RuntimeApi::start().await;
        let mut service = Service::lambda(
            &api,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()),
                ("OTEL_TRACES_SAMPLER", sampler),
                ("OTEL_TRACES_SAMPLER_ARG", argument),
            ],
        );
        for event in sampled_out.iter().chain([&sampled, &undecided]) {
            assert_eq!(api.invoke(event).await.status(), 200);
        }
        api.idle().await;
        service.signal(Signal::TERM);
        assert!(service.ended().await);
        assert_eq!(collector.exports().len(), expected, "{sampler} {argument}");
    }
}

#[tokio::test]
async fn the_response_is_sent_then_the_spans_then_the_next_event_is_requested() {
    let mut api = RuntimeApi::start().await;
    let collector = Collector::noting(api.note("spans")).await;
    let proxy = to(&collector).await;
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint(&proxy)), ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")];
    let _service = Service::lambda(&api, &variables);
    proxy.set(Mode::Hold);
    assert_eq!(api.invoke(&event(&example())).await.status(), 200, "the collector is not waited for");
    let asked = tokio::time::timeout(Duration::from_millis(300), api.asked_for(2)).await;
    assert!(asked.is_err(), "while the spans are held, no further event is asked for");
    proxy.set(Mode::Pass);
    api.idle().await;
    assert_eq!(api.steps(), [Step::Next, Step::Response, Step::Other("spans"), Step::Next]);
    assert_eq!(
        collector.traces(1).await[0].names(),
        ["parse", "lookup", "model", "write"],
        "all of the request is in it"
    );
}

#[tokio::test]
async fn a_collector_that_fails_costs_one_bounded_attempt_and_no_answer() {
    for mode in [Mode::Refuse, Mode::Closed, Mode::Blackhole] {
        let collector = Collector::start().await;
        let proxy = to(&collector).await;
        let mut api = RuntimeApi::start().await;
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint(&proxy)), ("OTEL_EXPORTER_OTLP_TIMEOUT", "200")];
        let service = Service::lambda(&api, &variables);
        api.idle().await;
        proxy.set(mode);
        let start = Instant::now();
        for age in 30..40 {
            let outcome = api.invoke(&event(&aged(age))).await;
            assert_eq!(outcome.status(), 200, "{mode:?}");
            api.idle().await;
        }
        let took = start.elapsed();
        service.line_with("traces are not exported").await;
        assert_eq!(proxy.connections(), 1, "{mode:?}: it is left alone for a while");
        assert!(took < Duration::from_secs(4), "{mode:?}: ten invocations and one attempt took {took:?}");
        let warnings = service.lines().iter().filter(|line| line.contains("traces are not exported")).count();
        assert_eq!(warnings, 1, "{mode:?}");
    }
}

#[tokio::test]
async fn refused_spans_are_dropped_and_the_collector_is_retried_later() {
    let collector = Collector::start().await;
    let proxy = to(&collector).await;
    let (service, http) = Service::local(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint(&proxy))]).await;
    collector.answer(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(http.post("/decisions", &aged(30)).await.status, 200);
    let warning = service.line_with("traces are not exported").await;
    assert!(warning.contains("the collector answered 503"), "{warning}");
    collector.answer(StatusCode::OK);
    assert_eq!(http.post("/decisions", &aged(31)).await.status, 200);
    let again = service.line_with("traces are exported again").await;
    assert!(again.contains("dropped=5"), "the spans of the first request: {again}");
    assert_eq!((collector.traces(1).await.len(), proxy.connections()), (1, 2));
}

#[tokio::test]
async fn an_export_ends_with_the_invocation_when_that_comes_first() {
    let collector = Collector::start().await;
    let proxy = to(&collector).await;
    proxy.set(Mode::Blackhole);
    let mut api = RuntimeApi::with_deadline(Duration::from_millis(700)).await;
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint(&proxy)), ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")];
    let service = Service::lambda(&api, &variables);
    assert_eq!(api.invoke(&event(&example())).await.status(), 200);
    api.idle().await;
    let line = service.line_with("traces are not exported").await;
    assert!(line.contains("no answer in time"), "{line}");
}

#[tokio::test]
async fn the_local_server_exports_in_the_background_and_the_rest_when_it_ends() {
    let collector = Collector::start().await;
    let (mut service, http) = Service::local(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]).await;
    for age in 30..40 {
        assert_eq!(http.post("/decisions", &aged(age)).await.status, 200);
    }
    assert_eq!(collector.traces(10).await.len(), 10);
    let exports = collector.exports().len();
    assert!(exports < 10, "{exports} exports of ten requests: several are sent at once");
    assert_eq!(http.post("/decisions", &aged(50)).await.status, 200);
    service.signal(Signal::TERM);
    drop(http);
    assert!(service.ended().await);
    assert_eq!(collector.traces(11).await.len(), 11);
    assert_eq!(attribute(&collector.spans()[0].attributes, "url.scheme"), "http");
}

#[tokio::test]
async fn a_local_server_with_a_silent_collector_still_answers_and_ends_in_time() {
    let collector = Collector::start().await;
    let proxy = to(&collector).await;
    proxy.set(Mode::Blackhole);
    let (mut service, http) = Service::local(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint(&proxy))]).await;
    // More spans than the queue holds.
    for _ in 0..1_000 {
        assert_eq!(http.post("/decisions", &example()).await.status, 200);
    }
    service.signal(Signal::TERM);
    drop(http);
    let start = Instant::now();
    assert!(service.ended().await);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(proxy.connections() > 0);
}

/// Values that would appear if data of an application were in a span.
const MARKED: [&str; 5] = ["Erika-Mustermann", "personal_status_and_sex", "0.28123", "unemployed", "2,30,0,0,2"];

#[tokio::test]
async fn no_span_contains_data_of_an_application() {
    let mut redis = Redis::start().await;
    let collector = Collector::start().await;
    let mut api = RuntimeApi::start().await;
    let _service =
        Service::lambda(&api, &[("REDIS_URL", &redis.url()), ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]);
    let valid = with("installment_rate_in_percentage_of_disposable_income", 0.28123);
    let mut stranger = example();
    stranger["name"] = "Erika-Mustermann".into();
    let mut strange_path = event(&valid);
    strange_path["rawPath"] = "/Erika-Mustermann".into();
    strange_path["rawQueryString"] = "name=Erika-Mustermann".into();
    let mut strange_method = event(&valid);
    strange_method["requestContext"]["http"]["method"] = "Erika-Mustermann".into();
    let mut no_json = event(&valid);
    no_json["body"] = "{\"name\": \"Erika-Mustermann\",}".into();
    for event in [event(&valid), event(&valid), event(&stranger), strange_path, strange_method, no_json] {
        assert!(!api.invoke(&event).await.is_error);
        api.idle().await;
    }
    redis.kill();
    api.invoke(&event(&aged(50))).await;
    api.idle().await;
    collector.traces(7).await;
    for export in collector.exports() {
        let bytes = export.request.encode_to_vec();
        let text = String::from_utf8_lossy(&bytes);
        for marked in MARKED {
            assert!(!text.contains(marked), "{marked} in {:?}", export.request);
        }
    }
    let failed = collector.traces(7).await.remove(6);
    assert_eq!(attribute(&failed.step("write").attributes, "predict_once.cache.stored"), "false");
    assert_eq!(failed.step("write").status.as_ref().expect("one").code, 2, "an error");
    assert!(duration(failed.step("lookup")) < Duration::from_secs(10));
}

#[tokio::test]
async fn an_independent_collector_understands_the_spans() {
    let Some(rotel) = Rotel::start().await else { return };
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &rotel.url())]);
    api.invoke(&with_header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")).await;
    api.idle().await;
    eventually("five spans", || async { rotel.printed("Status code").len() == 5 }).await;
    assert_eq!(rotel.printed("Name"), ["POST /decisions", "parse", "lookup", "model", "write"]);
    assert_eq!(rotel.printed("Trace ID"), ["0af7651916cd43dd8448eb211c80319c"; 5]);
    let server = &rotel.printed("ID")[0];
    assert_eq!(rotel.printed("Parent ID"), ["b7ad6b7169203331", server, server, server, server]);
    assert_eq!(rotel.printed("-> service.name"), ["Str(predict-once)"]);
    assert_eq!(rotel.printed("-> predict_once.cache.status"), ["Str(miss)"; 2]);
}

#[tokio::test]
async fn without_an_endpoint_or_when_turned_off_no_connection_is_made() {
    // The default endpoint of OpenTelemetry exporters.
    let usual = TcpListener::bind("127.0.0.1:4318").await.expect("the port is free");
    let collector = Collector::start().await;
    let off = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url()), ("OTEL_SDK_DISABLED", "true")];
    for variables in [&[("OTEL_SERVICE_NAME", "scores")][..], &off] {
        let (mut service, http) = Service::local(variables).await;
        assert_eq!(http.post("/decisions", &example()).await.status, 200);
        service.signal(Signal::TERM);
        drop(http);
        assert!(service.ended().await);
    }
    assert!(collector.exports().is_empty());
    let connected = tokio::time::timeout(Duration::from_millis(100), usual.accept()).await;
    assert!(connected.is_err(), "{connected:?}");
}
