//! The settings that all stores have.

use std::time::Duration;

use super::{Environment, SettingsError};

/// How long entries live, and requests to the store may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) ttl: Duration,
    pub(super) read_timeout: Duration,
    pub(super) write_timeout: Duration,
}

pub(super) fn settings<L>(env: &Environment<L>) -> Result<Limits, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    Ok(Limits {
        ttl: Duration::from_secs(env.number("CACHE_TTL_SECONDS", 604_800, 1, 31_536_000)?),
        read_timeout: Duration::from_millis(env.number("CACHE_READ_TIMEOUT_MS", 50, 1, 10_000)?),
        write_timeout: Duration::from_millis(env.number("CACHE_WRITE_TIMEOUT_MS", 250, 1, 60_000)?),
    })
}
