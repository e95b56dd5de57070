//! Model packages: the shipped one, directories, and small ones assembled by tests.

mod inputs;
mod samples;

use std::{
    fs,
    path::{Path, PathBuf},
};

use predict_once::model::{ManifestFile, Model, Package};

pub use self::{
    inputs::{SMALLEST_IMAGE, inputs},
    samples::{NUMBER, every_kind, every_kind_of, explained, identity, long_answers, long_run, products, tensors},
};
use crate::{ROOT, scratch_directory};

/// The shipped package.
pub fn shipped() -> Package {
    Package::embedded()
}

/// The package in a directory of the repository.
pub fn read(directory: &str) -> Package {
    Package::read(&Path::new(ROOT).join(directory)).unwrap_or_else(|error| panic!("{error}"))
}

/// A package with this manifest and graph.
pub fn package(manifest: impl Into<String>, onnx: Vec<u8>) -> Package {
    let mut package = shipped();
    package.manifest = ManifestFile::Written(manifest.into());
    package.onnx = onnx.into();
    package.files.clear();
    package.golden = None;
    package
}

/// A package with one text replaced in `model.toml`.
pub fn changed(package: &Package, from: &str, to: &str) -> Package {
    assert_eq!(package.manifest.toml().matches(from).count(), 1, "{from:?} is there once");
    let mut changed = package.clone();
    changed.manifest = ManifestFile::Written(package.manifest.toml().replace(from, to));
    changed
}

pub fn load(package: &Package) -> Model {
    Model::load(package).unwrap_or_else(|error| panic!("{error}"))
}

/// The mistakes of a package that must not load.
pub fn mistakes(package: &Package) -> Vec<String> {
    let error = Model::load(package).err().unwrap_or_else(|| panic!("it loads: {}", package.manifest.toml()));
    error.mistakes.iter().map(ToString::to_string).collect()
}

/// Writes a package to its own directory below the target directory.
pub fn write(package: &Package, name: &str) -> PathBuf {
    let directory = empty_directory(name);
    fs::write(directory.join("model.toml"), package.manifest.toml()).expect("written");
    fs::write(directory.join("model.onnx"), &*package.onnx).expect("written");
    for (name, file) in &package.files {
        fs::write(directory.join(name), file).expect("written");
    }
    if let Some(golden) = &package.golden {
        fs::write(directory.join("golden.jsonl"), &**golden).expect("written");
    }
    directory
}

/// A new directory below the target directory.
pub fn empty_directory(name: &str) -> PathBuf {
    let directory = scratch_directory().join("packages").join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("removed");
    }
    fs::create_dir_all(&directory).expect("created");
    directory
}
