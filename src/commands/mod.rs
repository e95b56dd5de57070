//! The subcommands: check a package, print its OpenAPI document, look into the cache.

#[cfg(feature = "cache-tools")]
mod cache;

use std::{
    io::{self, Write},
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
};

use lexopt::{
    Arg::{Long, Short, Value},
    Parser, ValueExt,
};
use predict_once::{
    http,
    model::{Model, Package, PackageError, check::Report},
};

const USAGE: &str = "\
predict-once: a prediction API that keeps every prediction so as not to compute it twice

Usage:
  predict-once                       serve the model: over HTTP, or as a Lambda function if AWS_LAMBDA_RUNTIME_API is set
  predict-once check [DIR] [--json]  check a model package: load it, replay its golden answers, measure it
  predict-once openapi [DIR]         print the OpenAPI document of a model package
  predict-once cache report          how well the Redis of the service does: hit ratio, memory, entries, warnings
  predict-once cache inspect KEY     show an entry: its fields by name, its answers, its time to live
  predict-once cache warm FILE       compute and store predictions ahead, from CSV or JSON lines
  predict-once cache --help          the options of these three
  predict-once --version
  predict-once --help

DIR is the directory of a model package; without it, the package embedded in the binary.
Settings are environment variables: MODEL_DIR, PORT, REDIS_URL and others (docs/settings.md).
";

/// Runs the subcommand that the arguments name.
pub(crate) fn run(arguments: Parser) -> anyhow::Result<ExitCode> {
    match command(arguments) {
        Err(error) if error.is::<lexopt::Error>() => {
            eprint!("Error: {error}\n\n{USAGE}");
            Ok(ExitCode::from(2))
        }
        done => done,
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
        "openapi" => {
            let (directory, _) = package_arguments(arguments, false)?;
            print(&format!("{:#}", http::openapi_document(&load(directory.as_deref())?)?))
        }
        #[cfg(feature = "cache-tools")]
        "cache" => cache::run(arguments),
        "help" => print(USAGE.trim_end()),
        other => Err(lexopt::Error::from(format!("no command {other:?}")).into()),
    }
}

/// The directory of a model package, and whether `--json` was given, where that `is_allowed`.
fn package_arguments(mut arguments: Parser, is_allowed: bool) -> Result<(Option<PathBuf>, bool), lexopt::Error> {
    let (mut directory, mut json) = (None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") if is_allowed => json = true,
            Value(path) if directory.is_none() => directory = Some(path.into()),
            extra => return Err(extra.unexpected()),
        }
    }
    Ok((directory, json))
}

fn package(directory: Option<&Path>) -> Result<Package, PackageError> {
    directory.map_or_else(|| Ok(Package::embedded()), Package::read)
}

/// Loads or checks a package without printing panics: if a library panics on a malformed graph, that is reported as a mistake.
fn without_traces<T>(load: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let loaded = load();
    panic::set_hook(hook);
    loaded
}

pub(crate) fn load(directory: Option<&Path>) -> Result<Model, PackageError> {
    without_traces(|| Model::load(&package(directory)?))
}

fn check(directory: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let report = without_traces(|| Report::of(package(directory)));
    print(&if json { serde_json::to_string_pretty(&report)? } else { report.to_string() })?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    match writeln!(io::stdout(), "{text}") {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => Ok(written.map(|()| ExitCode::SUCCESS)?),
    }
}
