//! Checks the embedded model package, renders and compresses the documentation: work that a cold start must not do.

mod docs;
mod model;

use std::{env, path::PathBuf};

use sha2::{Digest, Sha256};

fn main() {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for build scripts"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    println!("cargo::rerun-if-changed=build");
    model::embed(&root, &out);
    docs::embed(&root, &out);
}

/// The first 64 bits of the SHA-256 of `bytes`, in hexadecimal.
fn short_digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}
