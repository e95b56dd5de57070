//! The local server: plain HTTP, for development and for containers.

mod accept;
mod app;
mod to_the_end;

use std::{
    future::{Future, pending},
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use self::{
    accept::accept,
    app::{App, METRICS, show},
};
use crate::{http::Api, prometheus::Metrics};

/// What is served, and where.
pub struct Server {
    /// The API.
    pub api: Api,
    /// Where it is.
    pub listener: TcpListener,
    /// `GET /metrics`, if it is asked for, and where it is if not there.
    pub metrics: Option<(Arc<Metrics>, Option<TcpListener>)>,
    /// How long requests are still accepted after the signal to stop.
    pub shutdown_delay: Duration,
}

impl Server {
    /// Serves the API, its metrics, `GET /health` and `GET /ready` until `shutdown`, then finishes the requests in progress and
    /// their deferred work.
    ///
    /// # Errors
    ///
    /// If a listener has no address.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { api, listener, metrics, shutdown_delay } = self;
        let (metrics, own) = metrics.unzip();
        let own = own.flatten();
        tracing::info!("listening on http://{}", listener.local_addr()?);
        if let Some(own) = &own {
            tracing::info!("metrics on http://{}{METRICS}", own.local_addr()?);
        }
        let app = App {
            api,
            shown: metrics.clone().filter(|_| own.is_none()),
            counted: metrics.clone(),
            deferred: TaskTracker::new(),
            is_stopping: Arc::default(),
        };
        let (deferred, is_stopping) = (app.deferred.clone(), Arc::clone(&app.is_stopping));
        let stop = async {
            shutdown.await;
            is_stopping.store(true, Relaxed);
            tokio::time::sleep(shutdown_delay).await;
        };
        let serving = async {
            let connections = GracefulShutdown::new();
            accept(listener, &connections, stop, move |request| app.clone().answer(request)).await;
            connections.shutdown().await;
            deferred.close();
            deferred.wait().await;
        };
        match metrics.zip(own) {
            None => serving.await,
            Some((metrics, own)) => {
                let connections = GracefulShutdown::new();
                let show = move |request| show(Arc::clone(&metrics), request);
                tokio::select! {
                    () = serving => {}
                    () = accept(own, &connections, pending(), show) => {}
                }
            }
        }
        Ok(())
    }
}
