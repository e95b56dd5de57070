//! The local server: plain HTTP, for development and containers.
//!
//! ```text
//! accept ─► front ─┬─► worker with the fewest connections ─► connection ─► app ─► http api
//! (within          │   (a thread with its own runtime)       (HTTP)
//! a limit)         └─► /health, /ready, /metrics ◄─ private addresses
//! ```
//!
//! One thread accepts connections, takes signals and answers for the server's own endpoints. It never runs a model or reads a body, so
//! that it always answers. A load balancer keeps few connections open for a long time. With a listener per worker, the kernel would
//! distribute them by a hash, which leaves some workers idle while others have twice their share.

mod accept;
mod app;
mod connection;
mod connections;
mod descriptors;
mod endpoints;
mod exposition;
mod front;
mod private;
pub mod prometheus;
mod run_to_completion;
mod shutdown;
mod worker;

use std::{
    io,
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::net::TcpListener;

pub use self::accept::listen;
use self::prometheus::Metrics;
use self::{
    accept::accept,
    connections::{Connections, Limit},
    endpoints::{Endpoints, METRICS},
    front::serve_or_pass,
    worker::Worker,
};
use crate::http::{Api, HEALTH};

pub struct Server {
    /// One API per worker.
    pub apis: Vec<Api>,
    pub listener: TcpListener,
    pub max_connections: NonZeroUsize,
    /// How long a connection may be idle.
    pub keep_alive: Duration,
    /// `GET /metrics`, if enabled, and its own listener; without one, it is on the API's listener.
    pub metrics: Option<(Arc<Metrics>, Option<TcpListener>)>,
    /// A listener of its own for `GET /health` and `GET /ready`.
    pub health: Option<TcpListener>,
    /// How long requests are still accepted after the stop signal.
    pub shutdown_delay: Duration,
    /// How long requests in progress and their deferred work may take after that.
    pub shutdown_timeout: Duration,
}

impl Server {
    /// Serves the API, `GET /health`, `GET /ready` and the metrics until `shutdown`, then finishes the requests in progress and
    /// their deferred work within `shutdown_timeout`. Every listener answers `/health` and `/ready`.
    ///
    /// # Errors
    ///
    /// If a listener has no address, a thread cannot be started, or the process may open too few files.
    pub async fn run(self, shutdown: BoxFuture<'static, ()>) -> io::Result<()> {
        let Self { apis, listener, max_connections, keep_alive, metrics, health, shutdown_delay, shutdown_timeout } =
            self;
        // The descriptors that are reserved in any case suffice for the metrics' address.
        let others = health.as_ref().map_or(0, |_| private::MAX_CONNECTIONS);
        let max_connections = descriptors::allow(max_connections.get(), others, apis.len())?;
        let connections = Arc::new(Connections::new(max_connections, Limit::MaxConnections, keep_alive));
        let (metrics, metrics_listener) = metrics.unzip();
        let metrics_listener = metrics_listener.flatten();
        let endpoints = Endpoints {
            metrics: metrics.clone().filter(|_| metrics_listener.is_none()),
            base_paths: apis.first().map(|api| api.base_paths().clone()).unwrap_or_default(),
            connections: Arc::clone(&connections),
            is_stopping: Arc::default(),
        };
        let workers = Worker::start(apis, &endpoints, metrics.as_ref())?;
        tracing::info!("listening on http://{}", listener.local_addr()?);
        if let Some(listener) = &metrics_listener {
            tracing::info!("metrics on http://{}{METRICS}", listener.local_addr()?);
        }
        if let Some(listener) = &health {
            tracing::info!("health on http://{}{HEALTH}", listener.local_addr()?);
        }
        let stop = async {
            shutdown.await;
            endpoints.is_stopping.store(true, Relaxed);
            tokio::time::sleep(shutdown_delay).await;
        };
        let serving = async {
            accept(listener, &connections, stop, |stream, connection| {
                tokio::spawn(serve_or_pass(stream, connection, endpoints.clone(), Arc::clone(&workers)));
            })
            .await;
            shutdown::finish(&workers, &connections, shutdown_timeout).await;
        };
        let at_metrics_address = Endpoints { metrics, ..endpoints.clone() };
        let at_health_address = Endpoints { metrics: None, ..endpoints.clone() };
        tokio::select! {
            () = serving => {}
            () = private::serve("METRICS_ADDRESS", metrics_listener, at_metrics_address, keep_alive) => {}
            () = private::serve("HEALTH_ADDRESS", health, at_health_address, keep_alive) => {}
            () = connections.check() => {}
        }
        Ok(())
    }
}
