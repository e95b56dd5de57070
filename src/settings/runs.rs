//! The settings of model runs that take long.

use std::{num::NonZeroUsize, thread};

use super::{Environment, SettingsError};

/// How many requests wait for each thread by default.
const WAITING_PER_THREAD: usize = 64;

/// Where runs of the model take place that take longer than about a millisecond. Without effect under Lambda, unless the environment serves
/// several invocations at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSettings {
    /// `MODEL_THREADS`: the number of threads for such runs, 1 to 256; default: one per processor available to the process.
    threads: Option<NonZeroUsize>,
    /// `MODEL_QUEUE`: the number of requests that wait for one of these threads, 0 to 1000000; default: 64 per thread. Further ones are
    /// answered with 503.
    queue: Option<usize>,
}

impl RunSettings {
    pub fn threads(&self) -> NonZeroUsize {
        self.threads.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    pub fn queue(&self) -> usize {
        self.queue.unwrap_or_else(|| WAITING_PER_THREAD * self.threads().get())
    }
}

pub(super) fn settings<L>(env: &Environment<L>) -> Result<RunSettings, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let one = NonZeroUsize::MIN;
    let threads = match env.get("MODEL_THREADS")? {
        // Counting the processors here would slow down cold starts.
        None => None,
        Some(_) => Some(env.number("MODEL_THREADS", one, one, NonZeroUsize::new(256).expect("more than 0"))?),
    };
    let queue = match env.get("MODEL_QUEUE")? {
        None => None,
        Some(_) => Some(env.number("MODEL_QUEUE", 0, 0, 1_000_000)?),
    };
    Ok(RunSettings { threads, queue })
}
