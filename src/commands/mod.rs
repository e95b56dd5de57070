//! The subcommands: check a package, compare two, print an OpenAPI document, estimate the gain of a cache, inspect it, read a process's metrics.

#[cfg(feature = "cache-tools")]
mod cache;
mod diff;
#[cfg(feature = "cache-tools")]
mod gain;
#[cfg(feature = "cache-tools")]
mod stats;

use std::{
    io::{self, Write},
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use lexopt::{
    Arg::{Long, Short, Value},
    Parser, ValueExt,
};
use model_package::{EntryContent, closest_match, printable};
use predict_once::{
    fetch::fetch,
    http,
    model::{Model, Package, PackageError, check::Report},
    settings::{ModelSettings, ModelSource},
};

use self::diff::Diff;

const USAGE: &str = "\
predict-once: serves ONNX models and never computes the same prediction twice

Usage:
  predict-once                       serve the model: over HTTP, or as a Lambda function if AWS_LAMBDA_RUNTIME_API is set
  predict-once check [DIR] [--json]  check a model package: load it, replay its golden answers, measure it
  predict-once diff OLD NEW          compare two packages: what changes for clients and the cache; exits with 1 if it breaks clients
  predict-once openapi [DIR]         print the OpenAPI document of a model package
  predict-once gain [DIR]            what a cache would bring: run time, lookup time, repetitions in a file of requests
  predict-once stats [URL] [--json]  read a running process's metrics: hits by tier, latency, errors, memory, state of the store
  predict-once cache report          report on the service's Redis: hit ratio, memory, entries, warnings
  predict-once cache inspect KEY     show an entry: input fields, answers, time to live
  predict-once cache warm FILE       compute and store predictions in advance, from CSV or JSON lines
  predict-once cache --help          print the options of the cache commands; gain --help those of gain
  predict-once --version
  predict-once --help

DIR is the directory of a model package. The default is the package embedded in the binary.
URL is a metrics address. The default is METRICS_ADDRESS, or PORT on this machine.
Settings are environment variables: MODEL_DIR, PORT, REDIS_URL and others (docs/settings.md).
";

pub(crate) fn run(arguments: Parser) -> anyhow::Result<ExitCode> {
    match command(arguments) {
        Err(error) if error.is::<lexopt::Error>() => {
            // The mistake is last, where a terminal ends.
            eprintln!("{USAGE}\nError: {}", printable(&error.to_string()));
            Ok(ExitCode::from(2))
        }
        result => result,
    }
}

fn command(mut arguments: Parser) -> anyhow::Result<ExitCode> {
    let command = match arguments.next()? {
        None => return print(USAGE.trim_end()),
        Some(Long("version") | Short('V')) => return print(concat!("predict-once ", env!("CARGO_PKG_VERSION"))),
        Some(Long("help") | Short('h')) => return print(USAGE.trim_end()),
        Some(Value(command)) => command.string()?,
        Some(option) => return Err(option.unexpected().into()),
    };
    match command.as_str() {
        "check" => {
            let (directory, json) = package_arguments(arguments, true)?;
            check(directory.as_deref(), json)
        }
        "diff" => {
            let (old, new) = two_packages(arguments)?;
            let diff = Diff::between(&load(Some(&old))?, &load(Some(&new))?)?;
            print(&diff.to_string())?;
            Ok(if diff.breaks() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        "openapi" => {
            let (directory, _) = package_arguments(arguments, false)?;
            print(&format!("{:#}", http::openapi_document(&load(directory.as_deref())?)?))
        }
        #[cfg(feature = "cache-tools")]
        "cache" => cache::run(arguments),
        #[cfg(feature = "cache-tools")]
        "gain" => gain::run(arguments),
        #[cfg(feature = "cache-tools")]
        "stats" => stats::run(arguments),
        "help" => print(USAGE.trim_end()),
        other => Err(unknown_command(other).into()),
    }
}

/// Names the mistake, and the command that was probably meant.
fn unknown_command(command: &str) -> lexopt::Error {
    let commands =
        ["check", "openapi", "cache", "cache report", "cache inspect", "cache warm", "gain", "diff", "stats", "help"];
    let hint = closest_match(command, commands.into_iter()).map(|meant| format!("; did you mean {meant}?"));
    format!("unknown command {command:?}{}", hint.unwrap_or_default()).into()
}

/// Parses `[DIR]` and, if `json_allowed`, `[--json]`.
fn package_arguments(mut arguments: Parser, json_allowed: bool) -> Result<(Option<PathBuf>, bool), lexopt::Error> {
    let (mut directory, mut json) = (None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") if json_allowed => json = true,
            Value(path) if directory.is_none() => directory = Some(path.into()),
            extra => return Err(extra.unexpected()),
        }
    }
    Ok((directory, json))
}

/// Parses `OLD NEW`.
fn two_packages(mut arguments: Parser) -> Result<(PathBuf, PathBuf), lexopt::Error> {
    let mut directories = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(path) if directories.len() < 2 => directories.push(PathBuf::from(path)),
            extra => return Err(extra.unexpected()),
        }
    }
    <[_; 2]>::try_from(directories)
        .map(|[old, new]| (old, new))
        .map_err(|_| "diff needs the directories of two packages".into())
}

fn package(directory: Option<&Path>) -> Result<Package, PackageError> {
    directory.map_or_else(|| Ok(Package::embedded()), Package::read)
}

/// Silences panic messages while a package is loaded: a panic on a malformed graph is reported as a mistake in the package.
fn without_panic_output<T>(load: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let loaded = load();
    panic::set_hook(hook);
    loaded
}

fn load(directory: Option<&Path>) -> Result<Model, PackageError> {
    without_panic_output(|| Model::load(package(directory)?))
}

/// Loads the model that the settings name. A package from elsewhere is kept for the next start if `keep`.
pub(crate) async fn load_served(settings: &ModelSettings, keep: bool) -> anyhow::Result<Model> {
    let model = match &settings.source {
        ModelSource::Embedded => load(None)?,
        ModelSource::Directory(directory) => load(Some(directory))?,
        ModelSource::Remote(remote) => {
            let fetched = fetch(remote, keep).await.with_context(|| format!("MODEL_URI: {}", remote.uri))?;
            load(Some(fetched.package())).with_context(|| format!("MODEL_URI: {}", remote.uri))?
        }
    };
    let found = model.fingerprint(EntryContent::Answer);
    if let Some(expected) = settings.fingerprint.as_deref().filter(|expected| *expected != found) {
        bail!("MODEL_FINGERPRINT is {expected}, but the model has the fingerprint {found}");
    }
    Ok(model)
}

fn check(directory: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let report = without_panic_output(|| Report::of(package(directory)));
    print(&if json { serde_json::to_string_pretty(&report)? } else { report.to_string() })?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints text that may contain anything that a package or Redis contains.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    match writeln!(io::stdout(), "{}", printable(text)) {
        // The reader, such as `head`, has closed the pipe: that is not a failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => Ok(written.map(|()| ExitCode::SUCCESS)?),
    }
}
