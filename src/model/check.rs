//! `predict-once check`: loads a model package exactly as the service does, replays its golden answers, runs its predictions on other
//! inputs, and measures load and run.

use std::{
    fmt,
    time::{Duration, Instant},
};

use model_package::{EntryContent, GOLDEN, GRAPH, GraphInput, Input, Mistake, Size, printable_line};
use serde::Serialize;

use super::{Model, Package, PackageError, Unbatchable, drawn, golden::Replay};

const MEASURING_TIME: Duration = Duration::from_millis(200);

/// Larger arrays are checked as long as the smaller ones took less: the service, too, runs slow models in small batches.
const ARRAYS_TIME: Duration = Duration::from_millis(200);

#[derive(Debug, Serialize)]
pub struct Report {
    /// The origin of the package.
    pub package: String,
    /// Whether the package can be served.
    pub ok: bool,
    /// One line per mistake.
    pub mistakes: Vec<String>,
    /// `None` if the package cannot be loaded.
    #[serde(flatten)]
    pub loaded: Option<Loaded>,
}

#[derive(Debug, Serialize)]
pub struct Loaded {
    pub model: String,
    pub fingerprint: String,
    pub fields: Vec<String>,
    /// The number of the graph's input columns.
    pub columns: usize,
    /// The graph's inputs: `window FP32 [N, 300, 4]`.
    pub inputs: Vec<String>,
    /// The graph's outputs that no prediction reads.
    pub unread_outputs: Vec<String>,
    pub endpoints: Vec<String>,
    pub load_ms: f64,
    /// Why the inputs of an array run one at a time; `None` if they run together.
    pub one_at_a_time: Option<String>,
    /// The median time of one run; `None` if there are neither golden rows nor valid examples.
    pub run_us: Option<f64>,
    pub golden: Option<Replay>,
}

impl Report {
    /// Checks a package, or reports why it could not be read.
    pub fn of(package: Result<Package, PackageError>) -> Self {
        let mut package = match package {
            Ok(package) => package,
            Err(error) => return Self::failed(error),
        };
        let (origin, golden_rows) = (package.origin().to_string(), package.golden.take());
        let golden_rows = golden_rows.as_deref();
        let start = Instant::now();
        let model = match Model::load(package) {
            Ok(model) => model,
            Err(error) => return Self::failed(error),
        };
        let load_ms = round(start.elapsed().as_secs_f64() * 1e3);
        let one_at_a_time = together(&model).err().map(|apart| apart.to_string());
        let mut golden = golden_rows.map(|golden| Replay::run(&model, golden));
        let mut mistakes = golden.as_mut().map(|replay| std::mem::take(&mut replay.mistakes)).unwrap_or_default();
        if let (quantised @ [_, ..], None) = (model.quantised_operators(), golden_rows) {
            let problem = format!(
                "calculates with quantised numbers ({}), which tract does many times more slowly than ONNX Runtime, and not always with                  the same result: export the graph in float32, or add {GOLDEN} with ONNX Runtime's answers, which are then compared",
                quantised.join(", ")
            );
            mistakes.push(Mistake { file: GRAPH, entry: String::new(), problem });
        }
        mistakes.extend(drawn::mistakes(&model, golden_rows));
        let run_us = median_run(&model, &inputs(&model, golden_rows)).map(round);
        Self {
            package: origin,
            ok: mistakes.is_empty(),
            mistakes: mistakes.iter().map(Mistake::to_string).collect(),
            loaded: Some(Loaded {
                model: model.signature().name.clone(),
                fingerprint: model.fingerprint(EntryContent::Answer).to_owned(),
                fields: model.signature().fields().iter().map(|field| field.name().to_owned()).collect(),
                columns: model.signature().width(),
                inputs: model.signature().inputs().iter().map(|input| input_text(&model, input)).collect(),
                unread_outputs: model.unread_outputs().iter().map(|name| format!("{name:?}")).collect(),
                endpoints: model
                    .signature()
                    .predictions()
                    .iter()
                    .map(|prediction| prediction.endpoint())
                    .chain(model.signature().contributions().and_then(|reasons| reasons.endpoint.as_deref()))
                    .map(|endpoint| format!("/{endpoint}"))
                    .collect(),
                load_ms,
                one_at_a_time,
                run_us,
                golden,
            }),
        }
    }

    fn failed(PackageError { origin, mistakes }: PackageError) -> Self {
        let mistakes = mistakes.iter().map(Mistake::to_string).collect();
        Self { package: origin.to_string(), ok: false, mistakes, loaded: None }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, ok, mistakes, loaded } = self;
        let mut row =
            |name: &str, value: &dyn fmt::Display| writeln!(f, "{name:<20} {}", printable_line(&value.to_string()));
        row("package", package)?;
        if let Some(loaded) = loaded {
            row("model", &loaded.model)?;
            row("fingerprint", &loaded.fingerprint)?;
            let fields = loaded.fields.len();
            row("input", &format_args!("{fields} {}, {} columns", plural("field", fields), loaded.columns))?;
            for (position, input) in loaded.inputs.iter().enumerate() {
                row(if position == 0 { "the graph reads" } else { "" }, input)?;
            }
            if !loaded.unread_outputs.is_empty() {
                row("outputs not read", &loaded.unread_outputs.join(", "))?;
            }
            for (position, endpoint) in loaded.endpoints.iter().enumerate() {
                row(if position == 0 { "endpoints" } else { "" }, &format_args!("POST {endpoint}"))?;
            }
            row("load", &format_args!("{} ms", loaded.load_ms))?;
            match &loaded.one_at_a_time {
                None => row("arrays", &"rows run together")?,
                Some(reason) => row("arrays", &format_args!("one row at a time: {reason}"))?,
            }
            match loaded.run_us {
                Some(time) => row("one run", &format_args!("{time} µs (median)"))?,
                None => row("one run", &"not measured: no golden rows and no valid examples")?,
            }
            match &loaded.golden {
                None => row("golden rows", &"none: answers were not compared with the training library's")?,
                Some(golden) => {
                    row("golden rows", &format_args!("{}, {} answers compared", golden.rows, golden.answers))?;
                    row("largest difference", &format_args!("{:.1e}", golden.largest_difference))?;
                    row("rows that differ", &golden.rows_that_differ)?;
                    row("differ in arrays", &golden.rows_that_differ_in_arrays)?;
                    row("cache key", &format_args!("{:.0} bytes of input on average", golden.mean_input_bytes))?;
                    row("distinct keys", &format_args!("{} of {} rows", golden.distinct_keys, golden.rows))?;
                }
            }
        }
        if *ok {
            return write!(f, "\nok: the package can be served");
        }
        let count = mistakes.len();
        write!(f, "\n{count} {}:", plural("mistake", count))?;
        mistakes.iter().try_for_each(|mistake| write!(f, "\n  {}", printable_line(mistake)))
    }
}

/// `window FP32 [N, 300, 4]`
fn input_text(model: &Model, input: &GraphInput) -> String {
    let fields = model.signature().fields();
    let batch = input.is_batched(fields).then(|| "N".to_owned());
    let size = |size: Size<'_>| match size {
        Size::Fixed(size) => size.to_string(),
        Size::Named(name) => name.to_owned(),
    };
    let shape: Vec<_> = batch.into_iter().chain(input.shape(fields).into_iter().map(size)).collect();
    format!("{} {} [{}]", input.name(), input.datatype(), shape.join(", "))
}

fn plural(noun: &str, count: usize) -> String {
    format!("{noun}{}", if count == 1 { "" } else { "s" })
}

/// Rounds to two decimals.
fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// Checks arrays of 2, 4, 8, … inputs.
fn together(model: &Model) -> Result<(), &Unbatchable> {
    let started = Instant::now();
    for size in (1..).map(|power| 1 << power).take_while(|size| *size < 2 * model.signature().max_inputs()) {
        model.runs_together(size)?;
        if started.elapsed() > ARRAYS_TIME {
            break;
        }
    }
    Ok(())
}

/// Valid inputs to run: from the golden rows or, without any, from the examples.
fn inputs(model: &Model, golden: Option<&str>) -> Vec<Input> {
    let of_row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).ok()?;
        model.signature().read(row["input"].to_string().as_bytes()).ok()
    };
    let mut inputs: Vec<_> = golden.unwrap_or_default().lines().filter_map(of_row).collect();
    if inputs.is_empty() {
        let examples = model.signature().examples.iter().map(|example| example.input.clone());
        let read = |input| model.signature().read(serde_json::Value::Object(input).to_string().as_bytes()).ok();
        inputs = examples.filter_map(read).collect();
    }
    inputs
}

/// The median time of a run, in microseconds.
fn median_run(model: &Model, inputs: &[Input]) -> Option<f64> {
    let started = Instant::now();
    let mut times = Vec::new();
    while !inputs.is_empty() && started.elapsed() < MEASURING_TIME {
        for input in inputs.iter().take(100) {
            let start = Instant::now();
            model.run(input).ok()?;
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    times.get(times.len() / 2).map(|median| median.as_secs_f64() * 1e6)
}
