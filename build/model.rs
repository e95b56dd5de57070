//! The model package that is embedded: where it is, and whether its `model.toml` is right. Its graph is checked by a test and at
//! every start, so that the build need not compile tract.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
};

use model_package::{GOLDEN, GRAPH, MANIFEST, Signature};

/// The package that ships.
const SHIPPED: &str = "models/credit_risk";

/// Checks `model.toml` of the directory that `EMBED_MODEL_DIR` names, and writes `embedded.rs`, its files as Rust, to `out`.
pub(crate) fn embed(root: &Path, out: &Path) {
    println!("cargo::rerun-if-env-changed=EMBED_MODEL_DIR");
    let chosen = env::var_os("EMBED_MODEL_DIR").filter(|value| !value.is_empty());
    let directory = root.join(chosen.map_or_else(|| PathBuf::from(SHIPPED), PathBuf::from));
    let file = |name: &str| {
        let file = directory.join(name);
        println!("cargo::rerun-if-changed={}", file.display());
        file
    };
    let (manifest, graph, golden) = (file(MANIFEST), file(GRAPH), file(GOLDEN));
    let toml = fs::read_to_string(&manifest)
        .unwrap_or_else(|error| stop(&[format!("{} cannot be read: {error}", manifest.display())]));
    let checked = Signature::parse(&toml).and_then(|_| {
        let json = model_package::to_json(&toml);
        // What the service reads.
        Signature::parse_json(&json).map(|_| json)
    });
    let json = checked.unwrap_or_else(|mistakes| {
        let lines: Vec<_> = mistakes.iter().map(|mistake| format!("{}/{mistake}", directory.display())).collect();
        stop(&lines)
    });
    fs::write(out.join("model.json"), json).expect("OUT_DIR can be written to");
    if !graph.is_file() {
        stop(&[format!("{} is missing", graph.display())]);
    }
    let golden = if golden.is_file() { format!("Some(include_str!({golden:?}))") } else { "None".to_owned() };
    let files = format!("(include_str!({manifest:?}), include_bytes!({graph:?}), {golden})");
    fs::write(out.join("embedded.rs"), files).expect("OUT_DIR can be written to");
}

/// Ends the build with a line for each mistake.
fn stop(lines: &[String]) -> ! {
    for line in lines {
        println!("cargo::error={line}");
    }
    process::exit(1)
}
