//! Settings → telemetry → service → Lambda or a local server.

use std::{future::Future, io, process::ExitCode, sync::Arc};

use anyhow::Context;
use predict_once::{
    cache::{MemoryCache, PredictionCache, RedisCache},
    domain::Model,
    http, lambda, local,
    service::PredictionService,
    settings::{CacheSettings, Settings},
    telemetry,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever RUST_BACKTRACE says.
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<()> {
    // One thread: a Lambda environment serves one request at a time, and handing it between threads would cost more than it
    // gains (measured: half as much again per request, twice the time of a Redis round trip).
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(run());
    // A name resolution that hangs has a thread of its own, which is not waited for.
    runtime.shutdown_background();
    ended
}

async fn run() -> anyhow::Result<()> {
    let settings = Settings::from_env()?;
    let in_lambda = lambda::is_environment();
    telemetry::start(settings.telemetry, in_lambda);
    let cache = match settings.cache {
        CacheSettings::Redis(config) => PredictionCache::Redis(RedisCache::new(config).context("REDIS_URL")?),
        CacheSettings::Memory(Some(entries)) => PredictionCache::Memory(MemoryCache::new(entries.get())),
        CacheSettings::Memory(None) => PredictionCache::Off,
    };
    let service = Arc::new(PredictionService::new(Model::embedded()?, cache, &settings.namespace));
    let router = http::router(Arc::clone(&service), settings.allowed_origins);
    let shutdown = shutdown_signal().context("signal handlers")?;
    if in_lambda {
        // The platform sends its signal between invocations.
        tokio::select! {
            ended = lambda::run(router) => ended.map_err(anyhow::Error::from_boxed)?,
            () = shutdown => {}
        }
    } else {
        let address = (settings.host.as_str(), settings.port);
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("HOST and PORT: cannot listen on {}:{}", settings.host, settings.port))?;
        local::serve(router, listener, shutdown).await?;
    }
    service.close();
    Ok(())
}

/// Completes when the process is asked to end, by SIGTERM or by Ctrl-C.
fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
