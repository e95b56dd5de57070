//! Workers: each is a thread with its own runtime and connections.

use std::{convert::Infallible, io, sync::Arc, thread};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tokio_util::task::TaskTracker;

use super::{
    app::{App, Handler, Shared},
    connection::serve,
    limit::Slot,
};
use crate::http::Api;

pub(super) struct Worker {
    app: Arc<App>,
    connections: GracefulShutdown,
    /// Dropping this ends the thread. `None` for the first worker, which runs on the thread that starts the others.
    _thread: Option<oneshot::Sender<Infallible>>,
}

impl Worker {
    /// Starts a worker for each of `apis`: the first on the current thread, the others on new threads.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub(super) fn start(apis: Vec<Api>, shared: &Shared) -> io::Result<Vec<Self>> {
        let start = |(number, api)| {
            let (runtime, thread) = match number {
                0 => (Handle::current(), None),
                _ => start_thread(format!("worker-{}", number + 1)).map(|(runtime, thread)| (runtime, Some(thread)))?,
            };
            let app = Arc::new(App { api, shared: shared.clone(), deferred: TaskTracker::new(), runtime });
            Ok(Self { app, connections: GracefulShutdown::new(), _thread: thread })
        };
        apis.into_iter().enumerate().map(start).collect()
    }

    /// The number of open connections.
    pub(super) fn connections(&self) -> usize {
        self.connections.count()
    }

    pub(super) fn serve(&self, stream: TcpStream, slot: Slot) {
        // Moves the socket from the runtime that accepted it to the worker's.
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!(%error, "a connection was not accepted"),
        };
        let handler = Handler::App(Arc::clone(&self.app));
        self.app.runtime.spawn(serve(stream, slot, self.connections.watcher(), handler));
    }

    pub(super) fn deferred(&self) -> &TaskTracker {
        &self.app.deferred
    }

    /// Lets each connection finish its request, then waits for the deferred work.
    pub(super) async fn finish(self) {
        self.connections.shutdown().await;
        self.app.deferred.close();
        self.app.deferred.wait().await;
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
