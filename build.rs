//! Digests the model at build time, so that a cold start does not: hashing a 100 MB model takes longer than loading ours.

use std::{env, fmt::Write as _, fs};

use sha2::{Digest, Sha256};

const MODEL: &str = "models/credit_risk/model.onnx";

fn main() {
    println!("cargo::rerun-if-changed={MODEL}");
    println!("cargo::rerun-if-changed=build.rs");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for build scripts");
    let model = fs::read(format!("{root}/{MODEL}"))
        .unwrap_or_else(|error| panic!("{MODEL} cannot be read ({error}); `make model` trains it"));
    let mut digest = String::new();
    // 64 bits: what tells one model from another is in every key, so it is kept as short as is safe.
    for byte in &Sha256::digest(&model)[..8] {
        write!(digest, "{byte:02x}").expect("writing to a String does not fail");
    }
    println!("cargo::rustc-env=MODEL_DIGEST={digest}");
}
