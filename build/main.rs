//! Does at build time what a cold start must not: checks the embedded model package, renders and compresses the documentation.

mod docs;
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "it shares files with the service, which uses the rest of them"
)]
mod model;

use std::{
    env,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

fn main() {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for build scripts"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    println!("cargo::rerun-if-changed=build");
    link(&root);
    model::embed(&root, &out);
    docs::embed(&root, &out);
}

/// Links the program for a quick start, on Linux: to a fixed address, and with what a start and a hit execute in one place.
///
/// To load a program that may lie anywhere, 40,000 addresses in it have to be corrected first. And functions lie in the order of crates:
/// unless told otherwise, a start reads two thirds of them from disk, page by page, to execute a tenth.
fn link(root: &Path) {
    let is = |of: &str, value: &str| env::var(of).is_ok_and(|is| is == value);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    println!("cargo::rustc-link-arg-bin=predict-once=-no-pie");
    // Of the linkers, ld and lld know this; whoever has chosen another does without.
    if !env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("-fuse-ld=")) {
        println!("cargo::rustc-link-arg-bin=predict-once=-Wl,-T,{}", root.join("build/order.ld").display());
    }
}

/// The first 64 bits of the SHA-256 of `bytes`, in hexadecimal.
fn short_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
