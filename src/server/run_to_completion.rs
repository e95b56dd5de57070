//! Requests are handled to completion, even if the client disconnects.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum_core::response::Response;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::service::unattended;

/// The handling of a request. If the client disconnects, hyper drops this future, and the handling continues as a task: other
/// requests may wait for its prediction, and the log counts every request. A run of the model that only this request waits for is
/// given up if it has not begun.
pub(super) struct RunToCompletion {
    handling: Option<BoxFuture<'static, Response>>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl RunToCompletion {
    pub(super) fn new(handling: BoxFuture<'static, Response>, tasks: TaskTracker, runtime: Handle) -> Self {
        Self { handling: Some(handling), tasks, runtime }
    }
}

impl Future for RunToCompletion {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let Some(handling) = &mut self.handling else { return Poll::Pending };
        let handled = handling.poll_unpin(context);
        if handled.is_ready() {
            self.handling = None;
        }
        handled
    }
}

impl Drop for RunToCompletion {
    fn drop(&mut self) {
        if let Some(handling) = self.handling.take() {
            self.tasks.spawn_on(unattended::run(handling.map(drop)), &self.runtime);
        }
    }
}
