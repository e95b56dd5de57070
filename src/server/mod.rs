//! The local server: plain HTTP, for development and containers.
//!
//! ```text
//! accept ─► front ─┬─► worker with the fewest connections ─► connection ─► app ─► http api
//! (within          │   (a thread with its own runtime)       (HTTP)
//! a limit)         └─► /health, /ready, /metrics ◄─ private addresses ─► /dashboard
//! ```
//!
//! One thread accepts connections, takes signals and answers for the server's own endpoints. It never runs a model or reads a body, so
//! that it always answers. A load balancer keeps few connections open for a long time. With a listener per worker, the kernel would
//! distribute them by a hash, which leaves some workers idle while others have twice their share.

mod accept;
mod app;
mod connection;
mod connections;
mod dashboard;
mod descriptors;
mod endpoints;
mod exposition;
mod front;
mod private;
pub mod prometheus;
mod run_to_completion;
mod shutdown;
pub mod stats;
mod totals;
mod worker;

use std::{
    future::pending,
    io,
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::net::TcpListener;

use self::{
    accept::accept,
    connections::{Connections, Limit},
    dashboard::{Dashboard, PAGE},
    endpoints::{Endpoints, METRICS},
    front::serve_or_pass,
    prometheus::Metrics,
    worker::Worker,
};
pub use self::{accept::listen, dashboard::DashboardSettings};
use crate::http::{Api, HEALTH};

pub struct Server {
    /// One API per worker.
    pub apis: Vec<Api>,
    pub listener: TcpListener,
    pub max_connections: NonZeroUsize,
    /// How long a connection may be idle.
    pub keep_alive: Duration,
    /// Counts requests, for `GET /metrics` and the dashboard.
    pub metrics: Option<Arc<Metrics>>,
    /// Whether the API's listener answers `GET /metrics`.
    pub shows_metrics: bool,
    /// A listener of its own for `GET /metrics`, which also has the dashboard.
    pub metrics_listener: Option<TcpListener>,
    /// A listener of its own for `GET /health` and `GET /ready`, which also has the dashboard.
    pub health: Option<TcpListener>,
    pub dashboard: DashboardSettings,
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
        let Self {
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
        } = self;
        // The descriptors that are reserved in any case suffice for the metrics' address.
        let others = health.as_ref().map_or(0, |_| private::MAX_CONNECTIONS);
        let max_connections = descriptors::allow(max_connections.get(), others, apis.len())?;
        let connections = Arc::new(Connections::new(max_connections, Limit::MaxConnections, keep_alive));
        let endpoints = Endpoints {
            metrics: metrics.clone().filter(|_| shows_metrics),
            dashboard: None,
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
        if let Some(listener) = metrics_listener.as_ref().or(health.as_ref()) {
            tracing::info!("dashboard on http://{}{PAGE}", listener.local_addr()?);
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
        let is_private = metrics_listener.is_some() || health.is_some();
        let dashboard = metrics.clone().filter(|_| is_private).map(|metrics| {
            let connections = Arc::clone(&connections);
            Arc::new(Dashboard::new(metrics, connections, dashboard))
        });
        let recording = async {
            match &dashboard {
                Some(dashboard) => dashboard.record().await,
                None => pending().await,
            }
        };
        let at_health_address = Endpoints { metrics: None, dashboard: dashboard.clone(), ..endpoints.clone() };
        let at_metrics_address = Endpoints { metrics, ..at_health_address.clone() };
        tokio::select! {
            () = serving => {}
            () = private::serve("METRICS_ADDRESS", metrics_listener, at_metrics_address, keep_alive) => {}
            () = private::serve("HEALTH_ADDRESS", health, at_health_address, keep_alive) => {}
            () = connections.check() => {}
            () = recording => {}
        }
        Ok(())
    }
}
