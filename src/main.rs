//! Settings → model → service → Lambda function or server. The subcommands are in `commands`.

mod banner;
mod commands;

use std::{
    future::Future, io, iter, net::SocketAddr, num::NonZeroUsize, process::ExitCode, sync::Arc, thread,
    time::SystemTime,
};

use anyhow::Context;
use futures_util::FutureExt;
use lexopt::Parser;
use model_package::printable_line;
use predict_once::{
    http::{Api, BodyMemory},
    lambda,
    observe::{log, traces::Traces},
    server::{self, prometheus::Metrics},
    service::PredictionService,
    settings::{CacheSettings, MetricsPlace, ServerSettings, Settings, StoreSettings, memory_limit},
};
use prediction_cache::{
    MemoryCache, PredictionCache, Store,
    dynamodb::DynamoDbStore,
    redis::{RedisConfig, RedisStore},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

fn main() -> ExitCode {
    let result = if std::env::args_os().len() > 1 {
        commands::run(Parser::from_env())
    } else {
        on_this_thread(serve()).map(|()| ExitCode::SUCCESS)
    };
    result.unwrap_or_else(|error| {
        // One line, regardless of RUST_BACKTRACE.
        eprintln!("Error: {}", printable_line(&format!("{error:#}")));
        ExitCode::FAILURE
    })
}

fn on_this_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // One thread: a Lambda environment serves one request at a time, or several on one processor. Handing requests between
    // threads costs more than it gains (measured: 50 % more per request, twice the time of a Redis round trip).
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // A name resolution that hangs blocks its thread: do not wait for it.
    runtime.shutdown_background();
    result
}

async fn serve() -> anyhow::Result<()> {
    let started = SystemTime::now();
    let settings = Settings::from_env()?;
    let in_lambda = lambda::is_environment();
    let model = commands::load_served(&settings.model, in_lambda).await?;
    let _flush = log::start(settings.log, in_lambda, &model).context("standard output")?;
    let traces =
        settings.traces.map(|traces| Arc::new(Traces::new(traces, &model, settings.caching.layout, in_lambda)));
    let tiers = banner::cache(&settings.cache, settings.caching.layout);
    let cache = cache(settings.cache, in_lambda)?;
    let mut service = PredictionService::new(model, cache, &settings.caching);
    // A run delays no other request if there is one at a time.
    if !in_lambda || lambda::is_concurrent() {
        let (threads, queue) = (settings.runs.threads(), settings.runs.queue());
        service = service.with_threads(threads, queue, memory_limit()).context("threads for the model")?;
    }
    if !in_lambda && settings.server.has_dashboard() {
        service = service.counting_inputs();
    }
    let service = Arc::new(service);
    let bodies = (!in_lambda).then(|| BodyMemory::new(settings.server.body_bytes()));
    let api = |service: &Arc<_>| {
        Api::new(Arc::clone(service), settings.api.clone()).traced(traces.clone()).limited(bodies.clone())
    };
    let shutdown = shutdown_signal().context("signal handlers")?.boxed();
    if in_lambda {
        // During init, Lambda grants a full vCPU regardless of the memory setting, so open the connection to the store now.
        service.open().await;
        lambda::run(api(&service), shutdown).await.map_err(anyhow::Error::from_boxed)?;
    } else {
        if let Some(traces) = traces.clone() {
            tokio::spawn(async move { traces.run().await });
        }
        banner::warn_of_near_misses();
        let server = http_server(settings.server, &service, api, started).await?;
        banner::log(
            service.model(),
            &settings.model.source,
            &tiers,
            server.listener.local_addr().context("HOST and PORT")?,
        );
        server.run(shutdown).await?;
    }
    if let Some(traces) = traces {
        traces.close().await;
    }
    service.close();
    Ok(())
}

async fn http_server(
    settings: ServerSettings,
    service: &Arc<PredictionService>,
    api: impl Fn(&Arc<PredictionService>) -> Api,
    started: SystemTime,
) -> anyhow::Result<server::Server> {
    let ServerSettings {
        host,
        port,
        workers,
        max_connections,
        keep_alive,
        body_bytes: _,
        metrics,
        health,
        dashboard,
        shutdown_delay,
        shutdown_timeout,
    } = settings;
    let workers = workers.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let others = (1..workers).map(|_| Arc::new(service.for_another_worker()));
    let services: Vec<_> = iter::once(Arc::clone(service)).chain(others).collect();
    let apis = services.iter().map(api).collect();
    let listener = server::listen((host.as_str(), port))
        .await
        .with_context(|| format!("HOST and PORT: cannot listen on {host}:{port}"))?;
    let metrics_listener = match metrics {
        Some(MetricsPlace::At(address)) => Some(listen_at("METRICS_ADDRESS", address).await?),
        Some(MetricsPlace::WithService) | None => None,
    };
    let health = match health {
        Some(address) => Some(listen_at("HEALTH_ADDRESS", address).await?),
        None => None,
    };
    let shows_metrics = metrics == Some(MetricsPlace::WithService);
    let metrics = (metrics.is_some() || health.is_some()).then(|| Arc::new(Metrics::new(services, started)));
    Ok(server::Server {
        apis,
        listener,
        max_connections,
        keep_alive,
        metrics,
        shows_metrics,
        metrics_listener,
        health,
        dashboard,
        shutdown_delay,
        shutdown_timeout,
    })
}

async fn listen_at(variable: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    server::listen(address).await.with_context(|| format!("{variable}: cannot listen on {address}"))
}

fn cache(settings: CacheSettings, in_lambda: bool) -> anyhow::Result<PredictionCache> {
    if settings.bypass {
        tracing::warn!("CACHE_BYPASS is set: predictions are neither looked up nor stored");
        return Ok(PredictionCache::new(None, None));
    }
    let limits = settings.memory_entries.zip(settings.memory_bytes);
    let memory = limits.map(|(entries, bytes)| MemoryCache::new(entries.get(), bytes.get()));
    let store: Option<Box<dyn Store>> = match settings.store {
        None => None,
        Some(StoreSettings::Redis(config)) => {
            // One request at a time needs one connection; a second would slow every cold start.
            let config = RedisConfig { shared_connection: in_lambda && !lambda::is_concurrent(), ..*config };
            Some(Box::new(RedisStore::new(config).context("REDIS_URL")?))
        }
        Some(StoreSettings::DynamoDb(config)) => {
            Some(Box::new(DynamoDbStore::new(*config).context("CACHE_STORE=dynamodb")?))
        }
    };
    Ok(PredictionCache::new(memory, store).signed_by(settings.signer))
}

/// Completes on SIGTERM or Ctrl-C. A second signal ends the process at once.
fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut stop_signal = async move || {
        tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        }
    };
    Ok(async move {
        stop_signal().await;
        tokio::spawn(async move {
            let signal = stop_signal().await;
            tracing::warn!("second stop signal received: exiting without draining");
            // The status that a shell reports for a program killed by this signal.
            log::exit_now(128 + signal.as_raw_value());
        });
    })
}
