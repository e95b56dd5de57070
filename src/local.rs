//! The way in over plain HTTP, for development and for containers.

use std::{future::Future, io};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::after_response;

/// Serves `router` and `GET /health` on `listener` until `shutdown`, then finishes the requests that are under way and
/// what they have deferred.
///
/// # Errors
///
/// If the listener fails.
pub async fn serve(
    router: Router,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let deferred = TaskTracker::new();
    let app = router
        .layer(middleware::from_fn_with_state(deferred.clone(), run_after_response))
        .route("/health", get(|| async { "ok\n" }));
    tracing::info!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await?;
    deferred.close();
    deferred.wait().await;
    Ok(())
}

/// Spawns what a request has deferred. On the single thread of this process's runtime the task starts when the connection's
/// task next waits, and before it does, it writes the response to the socket.
async fn run_after_response(State(deferred): State<TaskTracker>, request: Request, next: Next) -> Response {
    let (response, jobs) = after_response::collect(next.run(request)).await;
    deferred.spawn(jobs.run(None));
    response
}
