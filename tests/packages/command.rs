//! The binary with packages: `MODEL_DIR`, and the subcommands `check` and `openapi`.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command, sync::LazyLock};

use model_package::{EntryContent, Precision};
use predict_once::{http, model::ManifestFile};
use serde_json::Value;
use test_support::{
    applications::example,
    models,
    onnx::Onnx,
    redis::Redis,
    runtime_api::RuntimeApi,
    service::{Service, binary},
};

use crate::packages;

/// The exit code and output of a command.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    err: String,
}

pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(binary());
    let ended = command.env_clear().envs(variables.iter().copied()).args(arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

const PATHS: [&str; 3] = ["/decisions", "/probabilities", "/risk_categories"];

#[tokio::test]
async fn a_copy_of_the_shipped_package_gives_the_same_answers_and_shares_the_cache_entries() {
    let directory = packages::write(&packages::shipped(), "copy");
    let redis = Redis::start().await;
    let variables = [("REDIS_URL", &*redis.url()), ("MODEL_DIR", text(&directory))];
    let (_embedded, http) = Service::local(&variables[..1]).await;
    let mut answers = Vec::new();
    for path in PATHS {
        answers.push(http.post(path, &example()).await);
    }
    redis.holds(3).await;
    let (_copy, http) = Service::local(&variables).await;
    for (path, embedded) in PATHS.into_iter().zip(answers) {
        let answer = http.post(path, &example()).await;
        assert_eq!(answer.cache_status(), "predict-once; hit; detail=redis");
        assert_eq!((answer.text, &answer.headers["x-model"]), (embedded.text, &embedded.headers["x-model"]));
        let computed = http.post_with(path, &example(), "no-store").await;
        assert_eq!(
            computed.text,
            models::answer(&models::shipped(), path, example().to_string().as_bytes()).expect("valid")
        );
    }
}

#[tokio::test]
async fn a_function_serves_the_package_of_model_dir_also_with_the_variables_of_the_container_image() {
    let package = packages::every_kind();
    let directory = packages::write(&package, "function");
    let model = packages::load(&package);
    let mut api = RuntimeApi::start().await;
    let image = [("MODEL_DIR", text(&directory)), ("HOST", "0.0.0.0"), ("PORT", "8080")];
    let service = Service::lambda(&api, &image);
    let input = Value::from(model.signature().examples[0].input.clone()).to_string();
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["body"] = input.as_str().into();
    for prediction in model.signature().predictions() {
        let path = format!("/{}", prediction.endpoint());
        event["rawPath"] = path.as_str().into();
        let outcome = api.invoke(&event).await;
        assert_eq!((outcome.is_error, outcome.status()), (false, 200), "{outcome:?}");
        assert_eq!(outcome.payload["body"], models::answer(&model, &path, input.as_bytes()).expect("valid"));
        let named = format!("every_kind; fingerprint={}", model.fingerprint(EntryContent::Answer));
        assert_eq!(outcome.header("x-model"), Some(named.as_str()));
    }
    event["rawPath"] = "/decisions".into();
    assert_eq!(api.invoke(&event).await.status(), 404, "that is the embedded package's");
    service.line_with("\"model\":\"every_kind\"").await;
}

#[tokio::test]
async fn the_documentation_is_that_of_the_package_of_model_dir() {
    let package = packages::every_kind();
    let directory = packages::write(&package, "documentation");
    let (_service, http) = Service::local(&[("MODEL_DIR", text(&directory))]).await;
    let document = http::openapi_document(&packages::load(&package)).expect("the model answers its examples");
    assert_eq!(http.get("/openapi.json").await.json(), document);
    let missing = http.get("/score").await.json();
    assert_eq!(missing["detail"], "there is no such path; did you mean /scores?");
}

#[tokio::test]
async fn a_model_of_another_fingerprint_than_expected_is_not_served() {
    let fingerprint = models::shipped().fingerprint(EntryContent::Answer).to_owned();
    let (_service, http) = Service::local(&[("MODEL_FINGERPRINT", &fingerprint)]).await;
    assert_eq!(http.post("/decisions", &example()).await.status, 200);
    let ended = run(&[], &[("MODEL_FINGERPRINT", "0123456789abcdef"), ("PORT", "0")]);
    let expected =
        format!("Error: MODEL_FINGERPRINT is 0123456789abcdef, but the model has the fingerprint {fingerprint}\n");
    assert_eq!((ended.code, ended.err), (Some(1), expected));
}

#[tokio::test]
async fn an_empty_model_dir_counts_as_unset() {
    let (_service, http) = Service::local(&[("MODEL_DIR", "")]).await;
    assert_eq!(http.post("/decisions", &example()).await.status, 200);
}

#[test]
fn a_package_may_consist_of_links_to_files() {
    // As Kubernetes mounts a ConfigMap: a link to a file below a link to a directory.
    let version = packages::write(&packages::every_kind(), "linked-version");
    let mounted = packages::empty_directory("linked");
    symlink(&version, mounted.join("..data")).expect("linked");
    for file in ["model.toml", "model.onnx"] {
        symlink(Path::new("..data").join(file), mounted.join(file)).expect("linked");
    }
    let ended = run(&["check", text(&mounted)], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.out);
}

/// Directories without a valid package, each with the file and entry that the error names and a part of its message. They are
/// written once for all tests.
static BROKEN: LazyLock<Vec<(String, &'static str, &'static str)>> = LazyLock::new(|| {
    let empty = packages::empty_directory("empty");
    let missing = empty.join("nowhere");
    let mistaken = packages::changed(&packages::shipped(), "cuts = [0.3]", "cuts = []");
    let mistaken = packages::write(&mistaken, "mistaken");
    let without_graph = packages::write(&packages::shipped(), "without-graph");
    fs::remove_file(without_graph.join("model.onnx")).expect("removed");
    let without_manifest = packages::write(&packages::shipped(), "without-manifest");
    fs::remove_file(without_manifest.join("model.toml")).expect("removed");
    let no_graph = packages::write(&packages::shipped(), "no-graph");
    fs::write(no_graph.join("model.onnx"), b"no graph").expect("written");
    let not_utf8 = packages::write(&packages::shipped(), "not-utf-8");
    fs::write(not_utf8.join("model.toml"), [0xff, 0xfe]).expect("written");
    let other_graph = packages::write(&packages::shipped(), "other-graph");
    fs::write(other_graph.join("model.onnx"), packages::identity(3)).expect("written");
    // tract panics on an output that no node produces.
    let panicking = packages::write(&packages::shipped(), "panicking");
    let graph = Onnx::new(17).node("Identity", &["x"], "y", &[]).file("nowhere", 17);
    fs::write(panicking.join("model.onnx"), graph).expect("written");
    let a_folder = packages::write(&packages::shipped(), "a-folder");
    fs::remove_file(a_folder.join("golden.jsonl")).expect("removed");
    fs::create_dir(a_folder.join("golden.jsonl")).expect("created");
    // Opening it waits for a writer.
    let a_pipe = packages::write(&packages::shipped(), "a-pipe");
    fs::remove_file(a_pipe.join("model.toml")).expect("removed");
    let made = Command::new("mkfifo").arg(a_pipe.join("model.toml")).status().expect("mkfifo starts");
    assert!(made.success());
    let endless = packages::write(&packages::shipped(), "endless");
    fs::remove_file(endless.join("model.onnx")).expect("removed");
    symlink("/dev/zero", endless.join("model.onnx")).expect("linked");
    // The files have holes, so that they take no room.
    let long = |name: &str, file: &str, size: u64| {
        let directory = packages::write(&packages::shipped(), name);
        fs::File::create(directory.join(file)).and_then(|file| file.set_len(size)).expect("written");
        directory
    };
    let two_gigabytes = long("two-gigabytes", "model.onnx", 2 << 30);
    let long_manifest = long("long-manifest", "model.toml", (8 << 20) + 1);
    let long_golden = long("long-golden", "golden.jsonl", (64 << 20) + 1);
    // In fewer bytes than a manifest may have.
    let values: Vec<_> = (0..1_000).map(|value| format!("\"{value}\"")).collect();
    let field = |n: usize| format!("{{name=\"{n}\",type=\"string\",values=[{}]}}", values.join(","));
    let fields: Vec<_> = (0..1_000).map(field).collect();
    let prediction = "predictions = [{ name = \"a\", endpoint = \"a\", kind = \"value\" }]";
    let manifest = format!("name = \"many\"\nfields = [{}]\n{prediction}\n", fields.join(","));
    let a_million_values = packages::write(&packages::package(manifest, packages::identity(1_000)), "a-million-values");
    let cases = [
        (&missing, "model.toml: ", "does not exist; is the directory correct?"),
        (&empty, "model.toml: ", "is missing from the package"),
        (&without_graph, "model.onnx: ", "is missing from the package"),
        (&without_manifest, "model.toml: ", "is missing from the package"),
        (
            &mistaken,
            "model.toml: prediction \"decision\": ",
            "`cuts` must be finite numbers in strictly ascending order",
        ),
        (&no_graph, "model.onnx: ", "is not an ONNX graph"),
        (&not_utf8, "model.toml: ", "cannot be read"),
        (&other_graph, "model.onnx: ", "reads 3 columns, but the fields of model.toml make 17"),
        (&panicking, "model.onnx: ", "tract panicked"),
        (&a_folder, "golden.jsonl: ", "is not a regular file"),
        (&a_pipe, "model.toml: ", "is not a regular file"),
        (&endless, "model.onnx: ", "is not a regular file"),
        (&two_gigabytes, "model.onnx: ", "is too large: it may have at most 1024 MiB"),
        (&long_manifest, "model.toml: ", "is too large: it may have at most 8 MiB"),
        (&long_golden, "golden.jsonl: ", "is too large: it may have at most 64 MiB"),
        (
            &a_million_values,
            "model.toml: fields: ",
            "must have at most 100000 `values` and `aliases` in all, not 1000000",
        ),
    ];
    cases.into_iter().map(|(path, entry, part)| (text(path).to_owned(), entry, part)).collect()
});

#[test]
fn a_broken_package_stops_the_start_with_one_line_that_names_file_and_entry() {
    for (directory, entry, part) in &*BROKEN {
        for variables in [&[("RUST_BACKTRACE", "1")][..], &[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")]] {
            let ended = run(&[], &[variables, &[("MODEL_DIR", directory.as_str())]].concat());
            assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{directory}: {}", ended.err);
            let named = format!("Error: {directory}: {entry}");
            assert!(ended.err.starts_with(&named) && ended.err.contains(part), "{named}: {}", ended.err);
            assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        }
    }
}

#[test]
fn check_lists_every_mistake_of_a_broken_package_and_fails() {
    for (directory, entry, part) in &*BROKEN {
        let ended = run(&["check", directory], &[]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""), "{directory}");
        let line = ended.out.lines().find(|line| line.trim_start().starts_with(entry));
        assert!(line.is_some_and(|line| line.contains(part)), "{entry} {part}: {}", ended.out);
        assert!(!ended.out.contains("ok:"), "{}", ended.out);

        let json = run(&["check", directory, "--json"], &[]);
        let report: Value = serde_json::from_str(&json.out).expect("JSON");
        assert_eq!(
            (json.code, &report["ok"], &report["package"]),
            (Some(1), &false.into(), &directory.as_str().into())
        );
        let mistake = report["mistakes"][0].as_str().expect("a mistake");
        assert!(mistake.starts_with(entry) && mistake.contains(part), "{mistake}");
        assert_eq!(report["model"], Value::Null, "a model that does not load is not described");

        let openapi = run(&["openapi", directory], &[]);
        assert_eq!(
            (openapi.code, openapi.out.as_str(), openapi.err.lines().count()),
            (Some(1), "", 1),
            "{}",
            openapi.err
        );
    }
    let package = packages::changed(&packages::shipped(), "cuts = [0.3]", "cuts = []");
    let package = packages::changed(&package, "endpoint = \"decisions\"", "endpoint = \"docs\"");
    let directory = packages::write(&package, "three-mistakes");
    let ended = run(&["check", text(&directory)], &[]);
    assert!(ended.out.contains("\n3 mistakes:\n  model.toml: prediction \"decision\": "), "{}", ended.out);
    let started = run(&[], &[("MODEL_DIR", text(&directory))]);
    assert!(
        started.err.ends_with(&format!(" (2 more: `predict-once check {}` lists all)\n", text(&directory))),
        "{}",
        started.err
    );
}

/// The control characters in a text that are not line breaks.
fn control(text: &str) -> Vec<char> {
    text.chars().filter(|character| character.is_control() && *character != '\n').collect()
}

#[test]
fn nothing_that_a_command_prints_of_a_package_controls_the_terminal() {
    const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\r";
    let package = packages::shipped();
    let invalid = packages::package(format!("name = {HOSTILE}"), package.onnx.to_vec());
    let invalid = packages::write(&invalid, &format!("invalid{HOSTILE}\nok: the package can be served"));
    let mut described = package.clone();
    described.golden = Some("{\"input\": \"\u{1b}[2J\"}\n\u{9b}31m".into());
    let described = packages::write(&described, "hostile-golden");
    for (directory, code) in [(&invalid, 1), (&described, 1)] {
        for arguments in
            [&["check", text(directory)][..], &["check", text(directory), "--json"], &["openapi", text(directory)]]
        {
            let ended = run(arguments, &[]);
            assert_eq!((control(&ended.out), control(&ended.err)), (vec![], vec![]), "{arguments:?}");
            if arguments.len() == 2 && arguments[0] == "check" {
                assert_eq!(ended.code, Some(code), "{}", ended.out);
            }
            if arguments.contains(&"--json") {
                serde_json::from_str::<Value>(&ended.out).expect("JSON");
            }
        }
        let lines = run(&["check", text(directory)], &[]).out;
        assert!(lines.lines().all(|line| line != "ok: the package can be served"), "{lines}");
    }
    let started = run(&[], &[("MODEL_DIR", text(&invalid))]);
    assert_eq!((control(&started.err), started.err.lines().count()), (vec![], 1), "{}", started.err);
    for arguments in
        [&[HOSTILE][..], &["check", "a", HOSTILE], &["cache", HOSTILE], &["cache", "inspect", "a", HOSTILE]]
    {
        let refused = run(arguments, &[]);
        assert_eq!((refused.code, control(&refused.err)), (Some(2), vec![]), "{}", refused.err);
    }
}

#[test]
fn the_printed_openapi_document_is_the_same_json_with_control_characters_escaped() {
    let title = "title = \"Every kind\"";
    let package = packages::changed(&packages::every_kind(), title, "title = \"\\u001B[2J\\u009B31m\\u202E\"");
    let ended = run(&["openapi", text(&packages::write(&package, "hostile-title"))], &[]);
    assert_eq!((ended.code, control(&ended.out)), (Some(0), vec![]), "{}", ended.err);
    let document: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(document["info"]["title"], "\u{1b}[2J\u{9b}31m\u{202e}");
}

#[test]
fn check_loads_a_package_replays_its_golden_answers_and_measures_it() {
    let directory = packages::write(&packages::shipped(), "right");
    let model = models::shipped();
    for arguments in [&["check"][..], &["check", text(&directory)]] {
        let ended = run(arguments, &[]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
        let rows: Vec<(&str, &str)> = ended.out.lines().filter_map(|line| line.split_at_checked(20)).collect();
        let row = |name: &str| rows.iter().find(|(title, _)| title.trim() == name).expect(name).1.trim();
        let package = arguments.get(1).copied().unwrap_or("the embedded model package");
        assert_eq!(
            (row("package"), row("model"), row("fingerprint")),
            (package, "credit_risk", model.fingerprint(EntryContent::Answer))
        );
        assert_eq!((row("input"), row("endpoints")), ("5 fields, 17 columns", "POST /decisions"));
        assert_eq!((row("golden rows"), row("rows that differ")), ("1000, 3000 answers compared", "0"));
        assert!(row("load").ends_with(" ms") && row("one run").ends_with(" µs (median)"), "{}", ended.out);
        assert!(row("cache key").ends_with(" bytes of input on average"), "{}", ended.out);
        assert!(row("distinct keys").ends_with(" of 1000 rows"), "{}", ended.out);
        assert!(row("largest difference").parse::<f64>().is_ok_and(|largest| largest <= 1e-6), "{}", ended.out);
        assert!(ended.out.ends_with("\nok: the package can be served\n"), "{}", ended.out);
    }
}

#[test]
fn check_prints_the_same_results_as_json() {
    let directory = packages::write(&packages::shipped(), "right-json");
    let directory = text(&directory);
    for arguments in [["check", directory, "--json"], ["check", "--json", directory]] {
        let ended = run(&arguments, &[]);
        let report: Value = serde_json::from_str(&ended.out).expect("JSON");
        assert_eq!(
            (ended.code, &report["ok"], &report["mistakes"]),
            (Some(0), &true.into(), &Value::Array(Vec::new()))
        );
        assert_eq!((&report["model"], &report["columns"]), (&"credit_risk".into(), &17.into()));
        assert_eq!(report["endpoints"], Value::from(PATHS.to_vec()));
        assert_eq!(report["fields"].as_array().map(Vec::len), Some(5));
        assert_eq!((&report["golden"]["rows"], &report["golden"]["answers"]), (&1_000.into(), &3_000.into()));
        for number in ["load_ms", "run_us"] {
            assert!(report[number].as_f64().is_some_and(|time| time > 0.0), "{number}: {report}");
        }
    }
    let embedded: Value = serde_json::from_str(&run(&["check", "--json"], &[]).out).expect("JSON");
    assert_eq!((&embedded["ok"], &embedded["package"]), (&true.into(), &"the embedded model package".into()));
}

#[test]
fn check_without_golden_answers_measures_with_the_examples_or_says_that_it_cannot() {
    let mut package = packages::every_kind();
    let ended = run(&["check", text(&packages::write(&package, "no-golden"))], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    assert!(
        ended.out.contains("none: answers were not compared") && ended.out.contains(" µs (median)"),
        "{}",
        ended.out
    );
    let examples = package.manifest.toml().find("[[examples]]").expect("there are some");
    package.manifest = ManifestFile::Written(package.manifest.toml()[..examples].to_owned());
    let ended = run(&["check", text(&packages::write(&package, "no-examples"))], &[]);
    assert!(ended.code == Some(0) && ended.out.contains("not measured"), "{}", ended.out);
}

/// A package without golden rows and examples whose first output is logits.
fn logits(name: &str, prediction: &str, fields: &str) -> Ended {
    let graph = Onnx::of(Precision::Float64, 2)
        .constant("weights", &[2, 3], &[4.0, -3.0, 2.0, 1.0, 5.0, -6.0])
        .constant("bias", &[3], &[0.5, 0.25, 0.25])
        .node("Gemm", &["x", "weights", "bias"], "logits", &[])
        .file("logits", 3);
    let manifest = format!(
        "name = \"m\"\n[[fields]]\nname = \"a\"\ntype = \"number\"\n{fields}[[fields]]\nname = \"b\"\ntype = \"number\"\n\
         {fields}[[predictions]]\nname = \"p\"\nendpoint = \"p\"\n{prediction}\n"
    );
    run(&["check", text(&packages::write(&packages::package(manifest, graph), name))], &[])
}

#[test]
fn check_runs_every_prediction_on_inputs_drawn_from_the_fields() {
    for (name, prediction, fields, failure) in [
        (
            "logits-probabilities",
            "kind = \"probabilities\"\nvalues = [\"u\", \"v\", \"w\"]",
            "",
            Some("is not a probability"),
        ),
        ("logits-probability", "kind = \"probability\"\noutput = 1", "", Some("is not a probability")),
        (
            "logits-position",
            "kind = \"class\"\noutput = 1\nvalues = [\"u\", \"v\"]",
            "minimum = -1\nmaximum = 1\n",
            Some("is not the position of a class"),
        ),
        (
            "logits-missing",
            "kind = \"value\"\noutput = 1",
            "required = false\nmissing = \"nan\"\n",
            Some("NaN is not finite"),
        ),
        ("logits-value", "kind = \"value\"\noutput = 1", "", None),
        ("logits-class", "kind = \"class\"\nvalues = [\"u\", \"v\", \"w\"]", "", None),
        // Every input that the fields allow has a probability.
        ("logits-limited", "kind = \"probability\"\noutput = 1", "minimum = 0\nmaximum = 0.05\n", None),
    ] {
        let ended = logits(name, prediction, fields);
        match failure {
            None => assert_eq!(ended.code, Some(0), "{}", ended.out),
            Some(part) => {
                assert_eq!(ended.code, Some(1), "{}", ended.out);
                let mistake = ended.out.lines().last().expect("a mistake");
                let named = "  model.toml: prediction \"p\": fails on the input {\"a\":";
                assert!(mistake.starts_with(named) && mistake.contains(part), "{mistake}");
            }
        }
    }
}

/// Replaces the golden file of the shipped package with a few rows and returns the mistakes that `check` finds.
fn golden_mistakes(name: &str, golden: &str, tolerated: &str) -> (Option<i32>, Vec<String>) {
    let shipped = "tolerance = 1e-06\nmax_other_class = 0";
    let mut package = packages::changed(&packages::shipped(), shipped, tolerated);
    package.golden = Some(golden.to_owned().into());
    let ended = run(&["check", text(&packages::write(&package, name)), "--json"], &[]);
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    let mistakes = report["mistakes"].as_array().expect("a list");
    (ended.code, mistakes.iter().map(|mistake| mistake.as_str().expect("text").to_owned()).collect())
}

#[test]
fn golden_rows_that_the_model_fails_are_reported_with_their_line() {
    let package = packages::shipped();
    let golden = package.golden.expect("it ships with golden rows");
    let rows: Vec<&str> = golden.lines().take(4).collect();
    let other = |row: &str, change: fn(&mut Value)| {
        let mut row: Value = serde_json::from_str(row).expect("JSON");
        change(&mut row);
        row.to_string()
    };
    let exact = "tolerance = 1e-06\nmax_other_class = 0";
    for (name, third, expected) in [
        ("golden-text", "nonsense".to_owned(), "golden.jsonl: line 3: "),
        ("golden-member", other(rows[2], |row| row["note"] = 1.into()), "golden.jsonl: line 3: unknown field `note`"),
        (
            "golden-input",
            other(rows[2], |row| row["input"]["age_in_years"] = 17.into()),
            "golden.jsonl: line 3: the input is not valid: \"age_in_years\" must be an integer from 18 to 120",
        ),
        (
            "golden-prediction",
            other(rows[2], |row| row["answers"]["score"] = 1.into()),
            "golden.jsonl: line 3: model.toml has no prediction \"score\"",
        ),
        (
            "golden-class",
            other(rows[2], |row| row["answers"]["decision"] = "MAYBE".into()),
            "model.onnx: 1 of 4 golden rows differ",
        ),
        (
            "golden-number",
            other(rows[2], |row| row["answers"]["probability"] = 0.5.into()),
            "model.onnx: 1 of 4 golden rows differ",
        ),
    ] {
        let text = [rows[0], rows[1], &third, rows[3]].join("\n");
        let (code, mistakes) = golden_mistakes(name, &text, exact);
        let [mistake] = &mistakes[..] else { panic!("{name}: {mistakes:?}") };
        assert!(code == Some(1) && mistake.starts_with(expected), "{mistake}");
        assert!(mistake.contains("line 3"), "{mistake}");
    }
    // The number of wrong rows is within the allowed share, or the tolerance covers the difference.
    let text =
        [rows[0], rows[1], &other(rows[2], |row| row["answers"]["decision"] = "MAYBE".into()), rows[3]].join("\n");
    assert_eq!(golden_mistakes("golden-share", &text, "max_other_class = 0.25").0, Some(0));
    let near = |row: &mut Value| {
        row["answers"]["probability"] = (row["answers"]["probability"].as_f64().expect("a number") + 1e-3).into()
    };
    let text = [rows[0], rows[1], &other(rows[2], near)].join("\n");
    assert_eq!(golden_mistakes("golden-tolerance", &text, "tolerance = 2e-3\nmax_other_class = 0").0, Some(0));
    assert_eq!(golden_mistakes("golden-beyond", &text, "tolerance = 5e-4\nmax_other_class = 0").0, Some(1));
    // One row too many.
    let text = format!("{}{}\n", golden.trim_end().to_owned() + "\n", rows[0]);
    let (code, mistakes) = golden_mistakes("golden-many", &text, exact);
    assert!(
        code == Some(1) && mistakes[0].starts_with("golden.jsonl: line 1001: there are more than 1000 rows"),
        "{mistakes:?}"
    );
}

#[test]
fn openapi_prints_the_document_of_a_package() {
    let committed: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).expect("JSON");
    let ended = run(&["openapi"], &[]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(serde_json::from_str::<Value>(&ended.out).expect("JSON"), committed);
    let package = packages::every_kind();
    let ended = run(&["openapi", text(&packages::write(&package, "openapi"))], &[]);
    let document = http::openapi_document(&packages::load(&package)).expect("the model answers its examples");
    assert_eq!((ended.code, ended.out), (Some(0), format!("{document:#}\n")));
}

#[test]
fn help_and_version_are_printed_and_an_unknown_argument_prints_the_usage() {
    for argument in ["--help", "-h", "help"] {
        let ended = run(&[argument], &[]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        for named in ["predict-once check [DIR] [--json]", "predict-once openapi [DIR]", "MODEL_DIR"] {
            assert!(ended.out.contains(named), "{named}: {}", ended.out);
        }
    }
    for argument in ["--version", "-V"] {
        let expected = format!("predict-once {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((run(&[argument], &[]).code, run(&[argument], &[]).out), (Some(0), expected));
    }
    for arguments in [
        &["serve"][..],
        &["--port", "80"],
        &["check", "--jsn"],
        &["check", "a", "b"],
        &["check", "a", "--json", "b"],
        &["openapi", "--json"],
        &[""],
    ] {
        let ended = run(arguments, &[]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ended.err.contains("Usage:"), "{arguments:?}: {}", ended.err);
        let last = ended.err.lines().last().expect("a line");
        assert!(last.starts_with("Error: "), "the mistake is where a terminal ends: {}", ended.err);
    }
}

#[test]
fn an_unknown_command_is_answered_with_the_one_that_was_probably_meant() {
    for (command, hint) in [
        ("chekc", "; did you mean check?"),
        ("OpenAPI", "; did you mean openapi?"),
        ("cahce", "; did you mean cache?"),
        ("report", "; did you mean cache report?"),
        ("warm", "; did you mean cache warm?"),
        ("stat", "; did you mean stats?"),
        ("serve", ""),
    ] {
        let expected = format!("Error: unknown command {command:?}{hint}");
        assert_eq!(run(&[command], &[]).err.lines().last(), Some(&*expected));
    }
    let ended = run(&["cache", "inspetc", "key"], &[]);
    assert!(ended.err.starts_with("Error: unknown command \"inspetc\"; did you mean inspect?"), "{}", ended.err);
}
