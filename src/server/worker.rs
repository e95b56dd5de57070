//! A worker: a thread with a runtime of its own, and the connections that it serves.

use std::{convert::Infallible, io, sync::Arc, thread};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tokio_util::task::TaskTracker;

use super::{
    app::{Answering, App, Common},
    connection::serve,
    limit::Slot,
};
use crate::http::Api;

/// A thread with a runtime of its own, and the connections that it serves.
pub(super) struct Worker {
    app: Arc<App>,
    connections: GracefulShutdown,
    /// Its thread ends when this is dropped. That which starts the others is the first worker.
    _thread: Option<oneshot::Sender<Infallible>>,
}

impl Worker {
    /// A worker for each of `apis`: the first on this thread, and each other on one of its own.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub(super) fn start(apis: Vec<Api>, common: &Common) -> io::Result<Vec<Self>> {
        let start = |(number, api)| {
            let (runtime, thread) = match number {
                0 => (Handle::current(), None),
                _ => start_thread(format!("worker-{}", number + 1)).map(|(runtime, thread)| (runtime, Some(thread)))?,
            };
            let app = Arc::new(App { api, common: common.clone(), deferred: TaskTracker::new(), runtime });
            Ok(Self { app, connections: GracefulShutdown::new(), _thread: thread })
        };
        apis.into_iter().enumerate().map(start).collect()
    }

    /// How many connections it has.
    pub(super) fn connections(&self) -> usize {
        self.connections.count()
    }

    /// Serves a connection, from now on among its own.
    pub(super) fn serve(&self, stream: TcpStream, slot: Slot) {
        // It leaves the runtime that has accepted it, for that of the worker.
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!(%error, "a connection was not accepted"),
        };
        let answering = Answering::Service(Arc::clone(&self.app));
        self.app.runtime.spawn(serve(stream, slot, self.connections.watcher(), answering));
    }

    /// Work that follows responses.
    pub(super) fn deferred(&self) -> &TaskTracker {
        &self.app.deferred
    }

    /// Lets each connection finish its request, and waits for what follows the responses.
    pub(super) async fn finish(self) {
        self.connections.shutdown().await;
        self.app.deferred.close();
        self.app.deferred.wait().await;
    }
}

/// A thread that runs a runtime until the sender is dropped.
fn start_thread(name: String) -> io::Result<(Handle, oneshot::Sender<Infallible>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (sender, ended) = oneshot::channel();
    thread::Builder::new().name(name).spawn(move || {
        let _ = runtime.block_on(ended);
        // Do not wait for the thread of a name resolution that hangs.
        runtime.shutdown_background();
    })?;
    Ok((handle, sender))
}
