//! Work deferred until the response has been sent.
//!
//! A handler [`defer`]s a job; the code that sends the response wraps the handler in [`collect`] and runs the [`Jobs`] once the
//! response is on its way. Under Lambda that is [`AfterResponseLayer`]: when the inner service is done, the Runtime API has the
//! response (and API Gateway has released the client). The runtime asks for the next invocation only after the jobs are done,
//! so the environment is not frozen in the middle of them.

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

/// Takes the time left, if known, and returns the work.
type Job = Box<dyn FnOnce(Option<Duration>) -> BoxFuture<'static, ()> + Send>;

tokio::task_local! {
    /// The jobs of the request that this task handles. One queue per request, not per process: with concurrent requests
    /// each one's jobs must wait for its own response.
    static JOBS: RefCell<Vec<Job>>;
}

/// Defers `job` until the response of the current request has been sent. The job is told how much time is left, and must not
/// take longer: under Lambda it delays the next invocation.
///
/// # Panics
///
/// Outside of [`collect`], where there is no response to wait for.
pub fn defer<W: Future<Output = ()> + Send + 'static>(job: impl FnOnce(Option<Duration>) -> W + Send + 'static) {
    JOBS.with(|jobs| jobs.borrow_mut().push(Box::new(move |time_left| job(time_left).boxed())));
}

/// Runs a handler and keeps what it defers.
pub fn collect<H: Future>(handler: H) -> impl Future<Output = (H::Output, Jobs)> {
    // An `async` block would hold the handler twice, as what it captures and as what it awaits; and a handler is large.
    JOBS.scope(RefCell::default(), handler.map(|output| (output, Jobs(JOBS.with(RefCell::take)))))
}

/// What one request has deferred.
pub struct Jobs(Vec<Job>);

impl Jobs {
    /// Runs the jobs in the order in which they were deferred. A panic in one job does not affect the others. Each is told what
    /// the ones before it have left of the time.
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

/// Runs what a handler has deferred after the Lambda Runtime API has received its response, and before asking for the next
/// invocation. Of several invocations at once, each has its own jobs, deadline and next invocation.
pub struct AfterResponseLayer {
    invocations: TaskTracker,
}

impl AfterResponseLayer {
    /// `invocations` holds each invocation until its jobs are done.
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

/// The service of [`AfterResponseLayer`].
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

/// How long deferred work may take. The margin is for ending the invocation in time. A deadline in the past means nothing
/// (`cargo lambda watch` sends one in 1970).
fn time_left(deadline: SystemTime, now: SystemTime) -> Option<Duration> {
    const MARGIN: Duration = Duration::from_millis(50);
    deadline.duration_since(now).ok().map(|left| left.saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn jobs_run_after_the_handler_and_a_panic_ends_only_itself() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let log = Arc::clone(&log);
            move || log.lock().expect("no panic while locked").push(what)
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
    async fn a_job_is_told_what_the_ones_before_it_have_left_of_the_time() {
        const EACH: Duration = Duration::from_millis(20);
        let told = Arc::new(Mutex::new(Vec::new()));
        let defer_one = || {
            let told = Arc::clone(&told);
            defer(move |left| async move {
                told.lock().expect("no panic while locked").push(left);
                tokio::time::sleep(EACH).await;
            });
        };
        let ((), jobs) = collect(async { (0..3).for_each(|_| defer_one()) }).await;
        jobs.run(Some(2 * EACH)).await;
        let told = told.lock().expect("no panic while locked").clone();
        assert!(told[1] <= Some(EACH) && told[2] == Some(Duration::ZERO), "{told:?}");
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
