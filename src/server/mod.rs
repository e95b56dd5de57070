//! The local server: plain HTTP, for development and for containers.
//!
//! ```text
//! accept ─► the worker with the fewest connections ─► connection ─► app ─► http api
//! (within   (a thread with a runtime of its own)      (HTTP)       └── /health, /ready, /metrics
//! a limit)
//! ```
//!
//! One thread accepts and is also the first worker. A load balancer keeps few connections for long: a listener for each worker would
//! let the kernel spread them by a hash, which leaves some workers idle beside others that have twice their share.

mod accept;
mod app;
mod connection;
mod descriptors;
mod limit;
pub mod prometheus;
mod shutdown;
mod to_the_end;
mod worker;
mod write_timeout;

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
    app::{Answering, Common, METRICS},
    connection::serve,
    limit::Limit,
    worker::Worker,
};
use crate::http::Api;

/// How many connections may be open where there are metrics only: for Prometheus, and for a person or two.
const METRICS_CONNECTIONS: usize = 16;

/// What is served, and where.
pub struct Server {
    /// The API, once for each worker. The first worker is the thread that runs the server.
    pub apis: Vec<Api>,
    /// Where it is.
    pub listener: TcpListener,
    /// How many connections may be open.
    pub max_connections: NonZeroUsize,
    /// `GET /metrics`, if it is asked for, and where it is if not there.
    pub metrics: Option<(Arc<Metrics>, Option<TcpListener>)>,
    /// How long requests are still accepted after the signal to stop.
    pub shutdown_delay: Duration,
    /// How long requests in progress and their deferred work may take after that.
    pub shutdown_timeout: Duration,
}

impl Server {
    /// Serves the API, its metrics, `GET /health` and `GET /ready` until `shutdown`, then finishes the requests in progress and
    /// their deferred work, within the limit.
    ///
    /// # Errors
    ///
    /// If a listener has no address, or a thread cannot be started.
    pub async fn run(self, shutdown: BoxFuture<'static, ()>) -> io::Result<()> {
        let Self { apis, listener, max_connections, metrics, shutdown_delay, shutdown_timeout } = self;
        let limit = Limit::new(descriptors::allow(max_connections.get(), apis.len()));
        let (metrics, own) = metrics.unzip();
        let own = own.flatten();
        let common = Common {
            counted: metrics.clone(),
            shown: metrics.clone().filter(|_| own.is_none()),
            limit: limit.clone(),
            is_stopping: Arc::default(),
        };
        let workers = Worker::start(apis, &common)?;
        tracing::info!("listening on http://{}", listener.local_addr()?);
        if let Some(own) = &own {
            tracing::info!("metrics on http://{}{METRICS}", own.local_addr()?);
        }
        let stop = async {
            shutdown.await;
            common.is_stopping.store(true, Relaxed);
            tokio::time::sleep(shutdown_delay).await;
        };
        let serving = async {
            accept(listener, &limit, stop, |stream, slot| {
                let worker = workers.iter().min_by_key(|worker| worker.connections()).expect("there is one");
                worker.serve(stream, slot);
            })
            .await;
            shutdown::finish(workers, &limit, shutdown_timeout).await;
        };
        match metrics.zip(own) {
            None => serving.await,
            Some((metrics, own)) => {
                let (few, limit) = (Limit::new(METRICS_CONNECTIONS), limit.clone());
                let connections = GracefulShutdown::new();
                let answering = Answering::Metrics(metrics, limit);
                let showing = accept(own, &few, pending(), |stream, slot| {
                    if let Ok(stream) = stream.into_std() {
                        tokio::spawn(serve(stream, slot, connections.watcher(), answering.clone()));
                    }
                });
                tokio::select! {
                    () = serving => {}
                    () = showing => {}
                }
            }
        }
        Ok(())
    }
}
