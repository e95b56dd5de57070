//! Workers: each is a thread with its own runtime and connections.

use std::{convert::Infallible, io, net::TcpStream, sync::Arc, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tokio_util::task::TaskTracker;

use super::{
    app::{App, Handler},
    connection::serve,
    connections::Connection,
    endpoints::Endpoints,
    prometheus::Metrics,
};
use crate::http::Api;

pub(super) struct Worker {
    app: Arc<App>,
    /// Each of its connections has a clone.
    connections: Arc<()>,
    /// Dropping this ends the thread.
    _thread: oneshot::Sender<Infallible>,
}

impl Worker {
    /// Starts a worker for each of `apis`.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub(super) fn start(
        apis: Vec<Api>,
        endpoints: &Endpoints,
        metrics: Option<&Arc<Metrics>>,
    ) -> io::Result<Arc<[Self]>> {
        let start = |(number, api)| {
            let (runtime, thread) = start_thread(format!("worker-{}", number + 1))?;
            let (endpoints, metrics) = (endpoints.clone(), metrics.cloned());
            let app = App { api, endpoints, metrics, deferred: TaskTracker::new(), runtime };
            Ok(Self { app: Arc::new(app), connections: Arc::default(), _thread: thread })
        };
        apis.into_iter().enumerate().map(start).collect()
    }

    /// Passes a connection to the worker that has the fewest.
    pub(super) fn serve_with_one_of(workers: &[Self], stream: TcpStream, connection: Connection) {
        let fewest = workers.iter().min_by_key(|worker| Arc::strong_count(&worker.connections));
        let worker = fewest.expect("at least one worker");
        let (handler, counted) = (Handler::Worker(Arc::clone(&worker.app)), Arc::clone(&worker.connections));
        worker.app.runtime.spawn(async move {
            serve(stream, connection, handler).await;
            drop(counted);
        });
    }

    pub(super) fn deferred(&self) -> &TaskTracker {
        &self.app.deferred
    }
}

/// Starts a thread that runs a runtime until the returned sender is dropped.
fn start_thread(name: String) -> io::Result<(Handle, oneshot::Sender<Infallible>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (sender, ended) = oneshot::channel();
    thread::Builder::new().name(name).spawn(move || {
        let _ = runtime.block_on(ended);
        // A name resolution that hangs blocks its thread: do not wait for it.
        runtime.shutdown_background();
    })?;
    Ok((handle, sender))
}
