//! Embeds a model package after checking its `model.toml`. A test and every start check the graph, so that the build does not have to
//! compile tract.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
};

use model_package::{Declaration, Files, GOLDEN, GRAPH, MANIFEST, Mistake, Precision, Signature};

/// The default package.
const SHIPPED: &str = "models/credit_risk";

/// Checks the `model.toml` in `EMBED_MODEL_DIR` and writes `embedded.rs`, the package's files as Rust, to `out`.
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
    let named: Vec<_> = model_package::file_names(&toml).into_iter().map(|name| (file(&name), name)).collect();
    let present = named.iter().filter_map(|(path, name)| Some((name.clone(), fs::read(path).ok()?.into())));
    let json = checked(&toml, &present.collect()).unwrap_or_else(|mistakes| {
        let lines: Vec<_> = mistakes.iter().map(|mistake| format!("{}/{mistake}", directory.display())).collect();
        stop(&lines)
    });
    fs::write(out.join("model.json"), json).expect("OUT_DIR is writable");
    if !graph.is_file() {
        stop(&[format!("{} is missing", graph.display())]);
    }
    let golden = if golden.is_file() { format!("Some(include_str!({golden:?}))") } else { "None".to_owned() };
    let named: String = named.iter().map(|(path, name)| format!("({name:?}, include_bytes!({path:?})), ")).collect();
    let files = format!("(include_str!({manifest:?}), include_bytes!({graph:?}), {golden}, &[{named}])");
    fs::write(out.join("embedded.rs"), files).expect("OUT_DIR is writable");
}

/// The manifest as JSON, which the service reads. Only the graph says which type of numbers it reads, so the manifest must be right for
/// one of them.
fn checked(toml: &str, files: &Files) -> Result<String, Vec<Mistake>> {
    let parse = |precision| {
        let graph = Declaration::unknown(precision);
        Signature::parse(toml, &graph, files)?;
        let json = model_package::to_json(toml);
        Signature::parse_json(&json, &graph, files).map(|_| json)
    };
    parse(Precision::Float32).or_else(|_| parse(Precision::Float64))
}

/// Fails the build with one error per line.
fn stop(lines: &[String]) -> ! {
    for line in lines {
        println!("cargo::error={line}");
    }
    process::exit(1)
}
