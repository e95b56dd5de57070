//! Settings → telemetry → model → service → Lambda or a local server; or one of the subcommands.

use std::{
    future::Future,
    io::{self, Write},
    iter,
    num::NonZeroUsize,
    panic,
    path::Path,
    process::{self, ExitCode},
    sync::Arc,
    thread,
    time::SystemTime,
};

use anyhow::Context;
use futures_util::FutureExt;
use predict_once::{
    cache::{MemoryCache, PredictionCache, RedisCache, RedisConfig},
    cache_tools::{self, Asked, Tool},
    check::Report,
    http::{self, Api},
    lambda, local,
    model::{Model, Package, PackageError},
    prometheus::Metrics,
    service::PredictionService,
    settings::{CacheSettings, MetricsPlace, ServerSettings, Settings},
    telemetry,
    traces::Traces,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
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

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => start().map(|()| ExitCode::SUCCESS),
        ["check"] => check(None, false),
        ["check", "--json"] => check(None, true),
        ["check", directory] if !directory.starts_with('-') => check(Some(directory), false),
        ["check", directory, "--json"] | ["check", "--json", directory] => check(Some(directory), true),
        ["openapi"] => openapi(None),
        ["openapi", directory] if !directory.starts_with('-') => openapi(Some(directory)),
        ["cache", ref rest @ ..] => cache_tool(rest),
        ["--version" | "-V"] => print(&format!("predict-once {}", env!("CARGO_PKG_VERSION"))),
        ["--help" | "-h" | "help"] => print(USAGE.trim_end()),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        // One line, regardless of RUST_BACKTRACE.
        eprintln!("Error: {error:#}");
        ExitCode::FAILURE
    })
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

fn load(directory: Option<&Path>) -> Result<Model, PackageError> {
    without_traces(|| Model::load(&package(directory)?))
}

fn check(directory: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let report = without_traces(|| Report::of(package(directory.map(Path::new))));
    print(&if json { serde_json::to_string_pretty(&report)? } else { report.to_string() })?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn openapi(directory: Option<&str>) -> anyhow::Result<ExitCode> {
    let model = load(directory.map(Path::new))?;
    print(&format!("{:#}", http::openapi_document(&model)?))
}

fn cache_tool(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let tool = match Tool::parse(arguments) {
        Ok(Asked::Run(tool)) => tool,
        Ok(Asked::Help) => return print(cache_tools::HELP.trim_end()),
        Err(mistake) => {
            eprintln!("Error: {mistake}\nSee: predict-once cache --help");
            return Ok(ExitCode::from(2));
        }
    };
    let settings = Settings::from_env()?;
    let model = load(settings.model_dir.as_deref())?;
    let printed = on_this_thread(async { anyhow::Ok(tool.run(settings, model).await?) })?;
    print(&printed.text)?;
    Ok(ExitCode::from(printed.status))
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    match writeln!(io::stdout(), "{text}") {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => Ok(written.map(|()| ExitCode::SUCCESS)?),
    }
}

fn start() -> anyhow::Result<()> {
    on_this_thread(run())
}

fn on_this_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // One thread: a Lambda environment serves one request at a time, or several on one processor, and handing them between
    // threads would cost more than it gains (measured: 50 % more per request, twice the time of a Redis round trip).
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(work);
    // Do not wait for the thread of a name resolution that hangs.
    runtime.shutdown_background();
    ended
}

async fn run() -> anyhow::Result<()> {
    let started = SystemTime::now();
    let settings = Settings::from_env()?;
    let in_lambda = lambda::is_environment();
    let model = load(settings.model_dir.as_deref())?;
    telemetry::start(settings.telemetry, in_lambda, &model);
    let traces =
        settings.traces.map(|traces| Arc::new(Traces::new(traces, &model, settings.caching.layout, in_lambda)));
    let cache = cache(settings.cache, in_lambda)?;
    let service = Arc::new(PredictionService::new(model, cache, &settings.caching));
    let api = |service: &Arc<_>| Api::new(Arc::clone(service), settings.allowed_origins.clone()).traced(traces.clone());
    let shutdown = shutdown_signal().context("signal handlers")?.boxed();
    if in_lambda {
        // Until a function asks for its first event it has a whole processor, however little memory it has.
        service.open_ahead().await;
        lambda::run(api(&service), shutdown).await.map_err(anyhow::Error::from_boxed)?;
    } else {
        if let Some(traces) = traces.clone() {
            tokio::spawn(async move { traces.run().await });
        }
        local_server(settings.server, &service, api, started).await?.run(shutdown).await?;
    }
    if let Some(traces) = traces {
        traces.close().await;
    }
    service.close();
    Ok(())
}

async fn local_server(
    settings: ServerSettings,
    service: &Arc<PredictionService>,
    api: impl Fn(&Arc<PredictionService>) -> Api,
    started: SystemTime,
) -> anyhow::Result<local::Server> {
    let ServerSettings { host, port, workers, max_connections, metrics, shutdown_delay, shutdown_timeout } = settings;
    let workers = workers.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let others = (1..workers).map(|_| Arc::new(service.for_another_worker()));
    let services: Vec<_> = iter::once(Arc::clone(service)).chain(others).collect();
    let apis = services.iter().map(api).collect();
    let listener = TcpListener::bind((host.as_str(), port))
        .await
        .with_context(|| format!("HOST and PORT: cannot listen on {host}:{port}"))?;
    let own = match metrics {
        Some(MetricsPlace::At(address)) => {
            let bound = TcpListener::bind(address).await;
            Some(bound.with_context(|| format!("METRICS_ADDRESS: cannot listen on {address}"))?)
        }
        _ => None,
    };
    let metrics = metrics.map(|_| (Arc::new(Metrics::new(services, started)), own));
    Ok(local::Server { apis, listener, max_connections, metrics, shutdown_delay, shutdown_timeout })
}

fn cache(settings: CacheSettings, in_lambda: bool) -> anyhow::Result<PredictionCache> {
    let redis = settings.redis.map(|config| {
        // One request at a time needs one connection, and opening a second would cost each cold start.
        let config = RedisConfig { shared_connection: in_lambda && !lambda::is_concurrent(), ..config };
        RedisCache::new(config).context("REDIS_URL")
    });
    let memory = settings.memory_entries.map(|entries| MemoryCache::new(entries.get()));
    Ok(PredictionCache { memory, redis: redis.transpose()? })
}

/// Completes when the process is told to stop, by SIGTERM or Ctrl-C. If it is told so again, it ends at once.
fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut told = async move || {
        tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        }
    };
    Ok(async move {
        told().await;
        tokio::spawn(async move {
            let signal = told().await;
            tracing::warn!("told to stop again: ending without finishing");
            // As a shell reports a program that the signal has ended.
            process::exit(128 + signal.as_raw_value());
        });
    })
}
