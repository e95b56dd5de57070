//! The Rust side of `make bench-trees`: `trees.py` beside it sends commands line by line, with tabs between their words, and
//! gets one line for each.
//!
//! | command | answer |
//! |---|---|
//! | `load`, engine (`own` or `tract`), file, columns | nanoseconds; the model is kept for the other commands |
//! | `run`, engine, rows, runs | nanoseconds per run of one row; the rows take turns |
//! | `predict`, engine, rows, file | `ok`; the last output of all rows is in the file |
//!
//! Rows are files of float32, one row after the other. A command that fails is answered by `error` and why.

use std::{
    collections::HashMap,
    error::Error,
    fs,
    io::{BufRead, Write, stdin, stdout},
    sync::Arc,
    time::Instant,
};

use tract_onnx::prelude::*;

struct Loaded {
    plan: Arc<TypedRunnableModel>,
    columns: usize,
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
    let of = |loaded: &HashMap<String, Loaded>, engine: &str| {
        loaded.get(engine).map(|model| (model.plan.clone(), model.columns)).ok_or("load it first")
    };
    match *words {
        ["load", engine, file, columns] => {
            let columns = columns.parse()?;
            // What was loaded before is dropped here, and not while the clock runs.
            loaded.remove(engine);
            let start = Instant::now();
            let plan = load(engine, file, columns)?;
            let nanoseconds = start.elapsed().as_nanos();
            loaded.insert(engine.to_owned(), Loaded { plan, columns });
            Ok(nanoseconds.to_string())
        }
        ["run", engine, rows, runs] => {
            let (plan, columns) = of(loaded, engine)?;
            let rows = floats(rows)?;
            let runs: usize = runs.parse()?;
            let start = Instant::now();
            for row in rows.chunks_exact(columns).cycle().take(runs) {
                let input = Tensor::from_shape(&[1, columns], row)?;
                std::hint::black_box(plan.run(tvec!(input.into_tvalue()))?);
            }
            Ok((start.elapsed().as_secs_f64() * 1e9 / runs as f64).to_string())
        }
        ["predict", engine, rows, file] => {
            let (plan, columns) = of(loaded, engine)?;
            let mut bytes = Vec::new();
            for row in floats(rows)?.chunks_exact(columns) {
                let input = Tensor::from_shape(&[1, columns], row)?;
                let outputs = plan.run(tvec!(input.into_tvalue()))?;
                let output = outputs.last().ok_or("no output")?;
                for score in output.to_plain_array_view::<f32>()? {
                    bytes.extend(score.to_le_bytes());
                }
            }
            fs::write(file, bytes)?;
            Ok("ok".to_owned())
        }
        // What cargo adds when it runs a bench.
        _ => Err("unknown command".into()),
    }
}

/// As the service does it: from the file to a model that can be run.
fn load(engine: &str, file: &str, columns: usize) -> TractResult<Arc<TypedRunnableModel>> {
    let bytes = fs::read(file)?;
    let mut onnx = tract_onnx::onnx();
    if engine == "own" {
        tree_ensemble::register(&mut onnx);
    }
    let model = onnx.model_for_read(&mut std::io::Cursor::new(bytes))?;
    model.with_input_fact(0, f32::fact([1, columns]).into())?.into_optimized()?.into_runnable()
}

fn floats(file: &str) -> std::io::Result<Vec<f32>> {
    Ok(fs::read(file)?.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}
