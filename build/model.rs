//! Finds the model, and digests it: hashing a 100 MB model takes longer than loading ours.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::short_digest;

/// Sets `MODEL_FILE`, the path of the one `models/*/model.onnx`, and `MODEL_DIGEST` for the crate.
pub(crate) fn digest(root: &Path) {
    let models = root.join("models");
    println!("cargo::rerun-if-changed={}", models.display());
    let file = only_model(&models);
    println!("cargo::rerun-if-changed={}", file.display());
    let model = fs::read(&file).unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()));
    println!("cargo::rustc-env=MODEL_FILE={}", file.display());
    // 64 bits: what tells one model from another is in every key, so it is kept as short as is safe.
    println!("cargo::rustc-env=MODEL_DIGEST={}", short_digest(&model));
}

fn only_model(models: &Path) -> PathBuf {
    let folders = fs::read_dir(models).unwrap_or_else(|error| panic!("{} cannot be read: {error}", models.display()));
    let files = folders.filter_map(|folder| Some(folder.ok()?.path().join("model.onnx")));
    let mut found: Vec<_> = files.filter(|file| file.is_file()).collect();
    match found.pop() {
        Some(file) if found.is_empty() => file,
        Some(file) => panic!("one model is served, and there are {} and {}", file.display(), found[0].display()),
        None => panic!("there is no models/*/model.onnx; `make model` trains it"),
    }
}
