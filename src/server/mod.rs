//! The local server: plain HTTP, for development and containers.
//!
//! ```text
//! accept ─► worker with the fewest connections ─► connection ─► app ─► http api
//! (within   (a thread with its own runtime)       (HTTP)       └── /health, /ready, /metrics
//! a limit)
//! ```
//!
//! One thread accepts connections and is also the first worker. A load balancer keeps few connections open for a long time. With a
//! listener per worker, the kernel would distribute them by a hash, which leaves some workers idle while others have twice their
//! share.

mod accept;
mod app;
mod connection;
mod descriptors;
mod exposition;
mod limit;
pub mod prometheus;
mod run_to_completion;
mod shutdown;
mod worker;

use std::{
    future::pending,
    io,
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::BoxFuture;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

use self::prometheus::Metrics;
use self::{
    accept::accept,
    app::{Handler, METRICS, Shared},
    connection::serve,
    limit::Limit,
    worker::Worker,
};
use crate::http::Api;

/// The limit of open connections at `METRICS_ADDRESS`: enough for Prometheus and a few people.
const METRICS_CONNECTIONS: usize = 16;

pub struct Server {
    /// One API per worker. The first worker is the thread that runs the server.
    pub apis: Vec<Api>,
    pub listener: TcpListener,
    pub max_connections: NonZeroUsize,
    /// `GET /metrics`, if enabled, and its own listener; without one, it is on the API's listener.
    pub metrics: Option<(Arc<Metrics>, Option<TcpListener>)>,
    /// How long requests are still accepted after the stop signal.
    pub shutdown_delay: Duration,
    /// How long requests in progress and their deferred work may take after that.
    pub shutdown_timeout: Duration,
}

impl Server {
    /// Serves the API, `GET /health`, `GET /ready` and the metrics until `shutdown`, then finishes the requests in progress and
    /// their deferred work within `shutdown_timeout`.
    ///
    /// # Errors
    ///
    /// If a listener has no address, or a thread cannot be started.
    pub async fn run(self, shutdown: BoxFuture<'static, ()>) -> io::Result<()> {
        let Self { apis, listener, max_connections, metrics, shutdown_delay, shutdown_timeout } = self;
        let limit = Limit::new(descriptors::allow(max_connections.get(), apis.len()));
        let (metrics, metrics_listener) = metrics.unzip();
        let metrics_listener = metrics_listener.flatten();
        let shared = Shared {
            metrics: metrics.clone(),
            metrics_route: metrics.clone().filter(|_| metrics_listener.is_none()),
            limit: limit.clone(),
            is_stopping: Arc::default(),
        };
        let workers = Worker::start(apis, &shared)?;
        tracing::info!("listening on http://{}", listener.local_addr()?);
        if let Some(listener) = &metrics_listener {
            tracing::info!("metrics on http://{}{METRICS}", listener.local_addr()?);
        }
        let stop = async {
            shutdown.await;
            shared.is_stopping.store(true, Relaxed);
            tokio::time::sleep(shutdown_delay).await;
        };
        let serving = async {
            accept(listener, &limit, stop, |stream, slot| {
                let worker = workers.iter().min_by_key(|worker| worker.connections()).expect("at least one worker");
                worker.serve(stream, slot);
            })
            .await;
            shutdown::finish(workers, &limit, shutdown_timeout).await;
        };
        match metrics.zip(metrics_listener) {
            None => serving.await,
            Some((metrics, listener)) => {
                let metrics_limit = Limit::new(METRICS_CONNECTIONS);
                let connections = GracefulShutdown::new();
                let handler = Handler::Metrics(metrics, limit.clone());
                let serving_metrics = accept(listener, &metrics_limit, pending(), |stream, slot| {
                    if let Ok(stream) = stream.into_std() {
                        tokio::spawn(serve(stream, slot, connections.watcher(), handler.clone()));
                    }
                });
                tokio::select! {
                    () = serving => {}
                    () = serving_metrics => {}
                }
            }
        }
        Ok(())
    }
}
