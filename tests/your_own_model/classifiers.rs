//! Which classifiers of scikit-learn the service runs: `run` puts this into the copy's tests, and what classifiers.py has
//! exported into the folder CLASSIFIERS. Prints a line for each: `name: runs`, or why not.

use std::{env, fs, path::Path};

use predict_once::{onnx::OnnxModel, penguins::Penguin};

/// Whether the graph gives the probabilities that follow the features in each row.
fn run(onnx: &Path) -> Result<(), String> {
    let model = OnnxModel::load(&fs::read(onnx).expect("a file"), Penguin::FEATURES).map_err(|error| error.to_string())?;
    for row in fs::read_to_string(onnx.with_extension("csv")).expect("a file").lines() {
        let row: Vec<f32> = row.split(',').map(|number| number.parse().expect("a number")).collect();
        let (features, expected) = row.split_at(Penguin::FEATURES);
        let found = model.run(features).map_err(|error| error.to_string())?;
        let differ = found.iter().zip(expected).any(|(found, expected)| (found - expected).abs() > 1e-5);
        if differ || found.len() != expected.len() {
            return Err(format!("gives {found:?} and not {expected:?}"));
        }
    }
    Ok(())
}

#[test]
fn which_classifiers_run() {
    let Some(folder) = env::var_os("CLASSIFIERS") else { return };
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "onnx") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let outcome = run(&path).map_or_else(|why| why.replace('\n', " "), |()| "runs".to_owned());
            println!("{name}: {outcome}");
        }
    }
}
