//! Work deferred until the response has been sent.
//!
//! A handler [`defer`]s a job; the code that sends the response wraps the handler in [`collect`] and runs the [`Jobs`] once the
//! response is on its way. Under Lambda that code is [`AfterResponseLayer`]: when the inner service returns, the Runtime API has the
//! response (and API Gateway has released the client). The runtime asks for the next invocation only after the jobs are done,
//! so Lambda does not freeze the environment while they run.

use std::{
    cell::RefCell,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use futures_util::{FutureExt, future::BoxFuture};
use lambda_runtime::LambdaInvocation;
use tokio_util::task::TaskTracker;
use tower::{Layer, Service};

/// Takes the remaining time, if known, and returns the work.
type Job = Box<dyn FnOnce(Option<Duration>) -> BoxFuture<'static, ()> + Send>;

tokio::task_local! {
    /// One queue per request, not per process: with concurrent requests, each request's jobs must wait for its own response.
    static JOBS: RefCell<Vec<Job>>;
}

/// Defers `job` until the response of the current request has been sent. The job receives the remaining time and must not exceed
/// it: under Lambda, it delays the next invocation.
///
/// # Panics
///
/// Outside [`collect`], which provides the queue.
pub fn defer<W: Future<Output = ()> + Send + 'static>(job: impl FnOnce(Option<Duration>) -> W + Send + 'static) {
    JOBS.with(|jobs| jobs.borrow_mut().push(Box::new(move |time_left| job(time_left).boxed())));
}

/// Runs a handler and collects the jobs that it defers.
pub fn collect<H: Future>(handler: H) -> impl Future<Output = (H::Output, Jobs)> {
    // An `async` block would store the handler twice, as a capture and as the future it awaits; and a handler is large.
    JOBS.scope(RefCell::default(), handler.map(|output| (output, Jobs(JOBS.with(RefCell::take)))))
}

/// The jobs that one request deferred.
pub struct Jobs(Vec<Job>);

impl Jobs {
    /// Runs the jobs in the order in which they were deferred. A panic in one job does not affect the others. Each job receives the
    /// time that the previous ones have left.
    pub async fn run(self, time_left: Option<Duration>) {
        let start = Instant::now();
        for job in self.0 {
            let time_left = time_left.map(|left| left.saturating_sub(start.elapsed()));
            if AssertUnwindSafe(async { job(time_left).await }).catch_unwind().await.is_err() {
                tracing::error!("work after the response panicked");
            }
        }
    }
}

/// Runs a handler's deferred jobs after the Lambda Runtime API has received the response and before the runtime asks for the next
/// invocation. Concurrent invocations each have their own jobs and deadline.
pub struct AfterResponseLayer {
    invocations: TaskTracker,
}

impl AfterResponseLayer {
    /// `invocations` tracks each invocation until its jobs are done.
    pub fn new(invocations: &TaskTracker) -> Self {
        Self { invocations: invocations.clone() }
    }
}

impl<S> Layer<S> for AfterResponseLayer {
    type Service = AfterResponse<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AfterResponse { inner, invocations: self.invocations.clone() }
    }
}

#[derive(Clone)]
pub struct AfterResponse<S> {
    inner: S,
    invocations: TaskTracker,
}

impl<S> Service<LambdaInvocation> for AfterResponse<S>
where
    S: Service<LambdaInvocation, Response = ()>,
    S::Future: Send + 'static,
    S::Error: Send,
{
    type Response = ();
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let deadline = invocation.context.deadline();
        let handled = self.inner.call(invocation);
        Box::pin(self.invocations.track_future(async move {
            let (sent, jobs) = collect(handled).await;
            jobs.run(time_left(deadline, SystemTime::now())).await;
            sent
        }))
    }
}

/// How long deferred work may take. The margin is left for ending the invocation. A deadline in the past is ignored:
/// `cargo lambda watch` sends one in 1970.
fn time_left(deadline: SystemTime, now: SystemTime) -> Option<Duration> {
    const MARGIN: Duration = Duration::from_millis(50);
    deadline.duration_since(now).ok().map(|left| left.saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn jobs_run_after_the_handler_and_a_panic_ends_only_its_own_job() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let note = |event: &'static str| {
            let log = Arc::clone(&log);
            move || log.lock().expect("no panic while locked").push(event)
        };
        let (first, second, handled) = (note("first"), note("second"), note("handled"));
        let ((), jobs) = collect(async move {
            defer(|_| async move { first() });
            defer(|_| async { panic!("a job") });
            defer(|_| async move { second() });
            handled();
        })
        .await;
        jobs.run(None).await;
        assert_eq!(*log.lock().expect("no panic while locked"), ["handled", "first", "second"]);
    }

    #[tokio::test]
    async fn a_job_receives_the_time_that_the_previous_jobs_have_left() {
        const EACH: Duration = Duration::from_millis(20);
        let received = Arc::new(Mutex::new(Vec::new()));
        let defer_one = || {
            let received = Arc::clone(&received);
            defer(move |left| async move {
                received.lock().expect("no panic while locked").push(left);
                tokio::time::sleep(EACH).await;
            });
        };
        let ((), jobs) = collect(async { (0..3).for_each(|_| defer_one()) }).await;
        jobs.run(Some(2 * EACH)).await;
        let received = received.lock().expect("no panic while locked").clone();
        assert!(received[1] <= Some(EACH) && received[2] == Some(Duration::ZERO), "{received:?}");
    }

    #[tokio::test]
    async fn concurrent_requests_keep_their_jobs_apart() {
        let request = |jobs: usize| {
            collect(async move {
                for _ in 0..jobs {
                    defer(|_| async {});
                    tokio::task::yield_now().await;
                }
            })
        };
        let ((_, one), (_, three)) = tokio::join!(request(1), request(3));
        assert_eq!((one.0.len(), three.0.len()), (1, 3));
    }

    #[test]
    fn the_time_left_ends_before_the_deadline_and_is_unknown_after_it() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let left = |deadline| time_left(deadline, now);
        assert_eq!(left(now + Duration::from_secs(3)), Some(Duration::from_millis(2950)));
        assert_eq!(left(now + Duration::from_millis(10)), Some(Duration::ZERO));
        assert_eq!(left(SystemTime::UNIX_EPOCH), None);
    }
}
