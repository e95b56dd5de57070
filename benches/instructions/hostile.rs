//! Bodies that are made to cost processor time, for packages of the largest sizes. Until the model runs, none may cost more than 10 ms per
//! kilobyte.
//!
//! Of valid inputs with a thousand long defaults, the time is measured instead: the key of each is a digest of 24 KB, and valgrind knows
//! no SHA instructions, which processors have had since 2019.

use std::{fs, iter, time::Duration};

use model_package::Precision;
use predict_once::model::Package;
use serde_json::Value;
use test_support::{
    bench::functions::{Function, Process},
    onnx::Onnx,
    packages,
};

use crate::Counted;

/// The most instructions per KiB of a body, or for a shorter one: 10 ms at 2.4 billion a second, the rate at which a shared processor of a
/// cloud ran the most expensive of these bodies (60 million in 25 ms, November 2026).
const PER_KIB: f64 = 24e6;

/// The same in milliseconds of processor time.
const MS_PER_KIB: f64 = 10.0;

/// The median of this many requests is taken.
const TIMED: usize = 9;

/// The number of items of an array.
const ITEMS: usize = 1_000;

/// Measures all bodies, and prints their costs. Returns those that cost too much.
pub(crate) async fn exceeded(event: &Value) -> Vec<String> {
    let mut exceeded = Vec::new();
    println!("\n{:60} {:>9} {:>14} {:>14}", "body", "bytes", "instructions", "per KiB");
    for (package_name, package, bodies) in cases() {
        let function = Function::package(&packages::write(&package, "hostile"));
        let idle = Counted::start(&function).await.counts().await;
        for (body_name, body) in bodies {
            let mut counted = Counted::start(&function).await;
            let status = counted.process.send(&asking(event, &body)).await.status();
            assert!([200, 400, 422, 504].contains(&status), "{package_name}: {body_name}: {status}");
            let instructions = counted.counts().await.total - idle.total;
            let per_kib = instructions / (body.len() as f64 / 1024.0).max(1.0);
            let name = format!("{package_name}: {body_name}");
            println!("{name:60} {:>9} {instructions:>14.0} {per_kib:>14.0}", body.len());
            if per_kib > PER_KIB {
                exceeded.push(format!("{name}: {per_kib:.0} instructions per KiB, {PER_KIB:.0} are allowed"));
            }
        }
    }
    exceeded.extend(exceeded_in_time(event).await);
    exceeded
}

/// The same for items of one member, whose other 999 fields have defaults of 24 characters.
async fn exceeded_in_time(event: &Value) -> Option<String> {
    let name =
        |n: usize| [n / 36, n % 36].map(|digit| char::from_digit(digit as u32, 36).expect("a digit")).iter().collect();
    let names: Vec<String> = (0..1_000).map(name).collect();
    let number = "type = \"number\"\nrequired = false\nmissing = -1.2345678901234567e-290";
    let graph = Onnx::of(Precision::Float64, names.len()).node("Identity", &["x"], "y", &[]);
    let package = packages::package(manifest(&names, number), graph.file("y", names.len()));
    let body = items(|n| object([(names[0].clone(), n.to_string())]));
    let mut process = Function::package(&packages::write(&package, "hostile")).start().await;
    process.ready().await;
    let event = asking(event, &body);
    let mut times = Vec::with_capacity(TIMED);
    for _ in 0..TIMED {
        let before = processor_time(&process);
        let status = process.send(&event).await.status();
        assert_eq!(status, 504);
        times.push(processor_time(&process) - before);
    }
    times.sort_unstable();
    let milliseconds = times[TIMED / 2].as_secs_f64() * 1e3;
    let per_kib = milliseconds / (body.len() as f64 / 1024.0);
    let name = "1,000 defaults of 24 characters: items with one field";
    println!("{name:60} {:>9} {milliseconds:>11.1} ms {per_kib:>11.2} ms", body.len());
    (per_kib > MS_PER_KIB && has_sha_instructions())
        .then(|| format!("{name}: {per_kib:.2} ms per KiB, {MS_PER_KIB} are allowed"))
}

/// The time that the function's only thread has run.
fn processor_time(process: &Process) -> Duration {
    let path = format!("/proc/{}/schedstat", process.pid());
    let text = fs::read_to_string(path).expect("it runs, on Linux");
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}

/// Without them, a digest takes five times as long.
fn has_sha_instructions() -> bool {
    let features = fs::read_to_string("/proc/cpuinfo").expect("Linux has it");
    features.split_whitespace().any(|feature| ["sha_ni", "sha2"].contains(&feature))
}

/// A request with this body that reads it and looks its inputs up, but does not run the model, whose cost is its owner's choice.
fn asking(event: &Value, body: &str) -> Value {
    let mut event = event.clone();
    event["rawPath"] = "/values".into();
    event["body"] = body.into();
    event["headers"]["cache-control"] = "only-if-cached".into();
    event
}

type Bodies = Vec<(&'static str, String)>;

fn cases() -> Vec<(&'static str, Package, Bodies)> {
    let field = |n: usize| format!("field_{n:04}");
    let all = |value: &str| object((0..1_000).map(|n| (field(n), value.to_owned())));
    let nested = object((0..16).map(|n| (format!("gield_{n:04}"), "0".to_owned())));
    let number = "type = \"number\"";
    let numbers: Bodies = vec![
        ("nothing", "{}".to_owned()),
        ("items without fields", items(|_| "{}".to_owned())),
        ("items with one field", items(|n| object([(field(999), n.to_string())]))),
        ("items with a wrong field", items(|_| object([(field(999), "\"\"".to_owned())]))),
        ("items with an unknown field", items(|_| object([("x".to_owned(), "0".to_owned())]))),
        ("no items", items(|_| "0".to_owned())),
        ("wrong fields", all("\"1\"")),
        ("fields in reverse", object((0..1_000).rev().map(|n| (field(n), "1".to_owned())))),
        ("similar names", object((0..1_000).map(|n| (format!("fielt_{n:04}"), "0".to_owned())))),
        ("similar names without digits", object(iter::repeat_n(("fieldx".to_owned(), "0".to_owned()), 1_000))),
        ("many members", object((0..10_000).map(|n| (format!("gield_{n:04}"), "0".to_owned())))),
        ("accented names", object((0..10_000).map(|n| (format!("fie\u{301}ld_{n:04}"), "0".to_owned())))),
        ("nested objects", items(|_| object([("a".to_owned(), nested.clone())]))),
        ("long numbers", all(&format!("1.{}1e-290", "0".repeat(760)))),
        ("numbers between two doubles", all("9007199254740993.00000000000000001e290")),
        ("deep arrays", format!("{}{}", "[".repeat(127), "]".repeat(127))),
    ];
    let texts = || -> Bodies {
        vec![
            ("nothing", "{}".to_owned()),
            ("items without fields", items(|_| "{}".to_owned())),
            ("a similar value", object([(field(0), format!("\"{}\"", "x".repeat(50)))])),
            ("a short similar value", object([(field(0), "\"xx\"".to_owned())])),
            ("items with similar values", items(|_| object([(field(0), "\"xx\"".to_owned())]))),
            ("items with booleans", items(|_| object([(field(0), "true".to_owned())]))),
            ("a long accented value", object([(field(0), format!("\"{}\"", "\u{301}\u{316}".repeat(500)))])),
        ]
    };
    vec![
        ("1,000 numbers", package(1_000, number), numbers.clone()),
        ("1,000 optional numbers", package(1_000, &format!("{number}\nrequired = false\nmissing = \"nan\"")), numbers),
        ("1,000 fields of 50 values", package(1_000, &category(50)), texts()),
        ("a field of 10,000 values", package(1, &category(10_000)), texts()),
    ]
}

/// A package with so many fields of one kind. Its graph returns its input.
fn package(fields: usize, kind: &str) -> Package {
    let names: Vec<_> = (0..fields).map(|n| format!("field_{n:04}")).collect();
    packages::package(manifest(&names, kind), packages::identity(fields))
}

fn manifest(names: &[String], kind: &str) -> String {
    let fields: Vec<_> = names.iter().map(|name| format!("[[fields]]\nname = \"{name}\"\n{kind}\n")).collect();
    let prediction = "[[predictions]]\nname = \"value\"\nendpoint = \"values\"\nkind = \"value\"\noutput = 0\n";
    format!("name = \"hostile\"\n{}{prediction}", fields.concat())
}

/// A field with so many values of 60 characters, which differ in the first six and are similar otherwise.
fn category(values: usize) -> String {
    let values: Vec<_> = (0..values).map(|value| format!("\"{:x<60}\"", format!("{value:06}é"))).collect();
    format!("type = \"string\"\nvalues = [{}]", values.join(","))
}

/// The members' values are JSON.
fn object(members: impl IntoIterator<Item = (String, String)>) -> String {
    let members: Vec<_> = members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn items(item: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..ITEMS).map(item).collect::<Vec<_>>().join(","))
}
