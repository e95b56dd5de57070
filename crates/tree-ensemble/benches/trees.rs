//! The Rust side of `make bench-trees`. `trees.py` sends commands, one per line with tabs between their words, and reads one line per
//! command.
//!
//! | command | answer |
//! |---|---|
//! | `load`, engine (`own`, `float64` or `tract`), file, columns | nanoseconds; the other commands use this model |
//! | `run`, engine, rows, runs | nanoseconds per run of one row, cycling through the rows |
//! | `predict`, engine, rows, file | `ok`; writes the last output of all rows to the file |
//!
//! `rows` is a file of float32 in row-major order. The engine `float64` is `own` with an input in float64, so that all numbers of the
//! trees are float64. The answer to a failed command is `error` and the reason.

use std::{
    collections::HashMap,
    error::Error,
    fs,
    io::{BufRead, Write, stdin, stdout},
    sync::Arc,
    time::Instant,
};

use tract_onnx::prelude::*;

#[derive(Clone)]
struct Loaded {
    plan: Arc<TypedRunnableModel>,
    input: DatumType,
    columns: usize,
}

impl Loaded {
    /// Each row as an input.
    fn inputs(&self, rows: &str) -> Result<Vec<TValue>, Box<dyn Error>> {
        let rows = floats(rows)?;
        let rows = rows.chunks_exact(self.columns);
        let input = |row: &[f32]| -> TractResult<TValue> {
            let row = Tensor::from_shape(&[1, self.columns], row)?;
            Ok(row.cast_to_dt(self.input)?.into_owned().into_tvalue())
        };
        Ok(rows.map(input).collect::<TractResult<_>>()?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut loaded = HashMap::new();
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split('\t').collect();
        match answer(&words, &mut loaded) {
            Ok(answer) => println!("{answer}"),
            Err(error) => println!("error {}", error.to_string().replace('\n', " ")),
        }
        stdout().flush()?;
    }
    Ok(())
}

fn answer(words: &[&str], loaded: &mut HashMap<String, Loaded>) -> Result<String, Box<dyn Error>> {
    let of = |loaded: &HashMap<String, Loaded>, engine: &str| loaded.get(engine).cloned().ok_or("load it first");
    match *words {
        ["load", engine, file, columns] => {
            let columns = columns.parse()?;
            // Drop the previous model before the clock starts.
            loaded.remove(engine);
            let start = Instant::now();
            let input = if engine == "float64" { DatumType::F64 } else { DatumType::F32 };
            let plan = load(engine, file, input, columns)?;
            let nanoseconds = start.elapsed().as_nanos();
            loaded.insert(engine.to_owned(), Loaded { plan, input, columns });
            Ok(nanoseconds.to_string())
        }
        ["run", engine, rows, runs] => {
            let model = of(loaded, engine)?;
            let inputs = model.inputs(rows)?;
            let runs: usize = runs.parse()?;
            let start = Instant::now();
            for input in inputs.iter().cycle().take(runs) {
                std::hint::black_box(model.plan.run(tvec!(input.clone()))?);
            }
            Ok((start.elapsed().as_secs_f64() * 1e9 / runs as f64).to_string())
        }
        ["predict", engine, rows, file] => {
            let model = of(loaded, engine)?;
            let mut bytes = Vec::new();
            for input in model.inputs(rows)? {
                let outputs = model.plan.run(tvec!(input))?;
                let output = outputs.last().ok_or("no output")?;
                for score in output.to_plain_array_view::<f32>()? {
                    bytes.extend(score.to_le_bytes());
                }
            }
            fs::write(file, bytes)?;
            Ok("ok".to_owned())
        }
        _ => Err("unknown command".into()),
    }
}

/// Loads a model as the service does, from the file to a runnable plan.
fn load(engine: &str, file: &str, input: DatumType, columns: usize) -> TractResult<Arc<TypedRunnableModel>> {
    let bytes = fs::read(file)?;
    let mut onnx = tract_onnx::onnx();
    if engine != "tract" {
        tree_ensemble::register(&mut onnx);
    }
    let model = onnx.model_for_read(&mut std::io::Cursor::new(bytes))?;
    model.with_input_fact(0, input.fact([1, columns]).into())?.into_optimized()?.into_runnable()
}

fn floats(file: &str) -> std::io::Result<Vec<f32>> {
    Ok(fs::read(file)?.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}
