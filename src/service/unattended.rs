//! Requests whose client has disconnected.

use std::{future::poll_fn, task::Poll};

tokio::task_local! {
    static UNATTENDED: ();
}

/// Continues a request whose client has disconnected. Work that has not begun and that no other request needs is then given up.
pub fn run<F: Future>(handling: F) -> impl Future<Output = F::Output> {
    UNATTENDED.scope((), handling)
}

/// Completes once the request [continues without its client](run).
pub(super) fn client_is_gone() -> impl Future<Output = ()> {
    poll_fn(|_| match UNATTENDED.try_with(|()| ()) {
        Ok(()) => Poll::Ready(()),
        // Its next poll is in the new scope, whose task polls it at once.
        Err(_) => Poll::Pending,
    })
}
