//! The settings of the local server.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use super::{Environment, SettingsError, error};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// `HOST`: the address that the local server listens on; default `127.0.0.1`.
    pub host: String,
    /// `PORT`: the port that the local server listens on, 0 to 65535; default 8080. 0 picks a free one.
    pub port: u16,
    /// `WORKERS`: the number of threads that answer requests, 1 to 256; default: one per processor available to the process.
    pub workers: Option<NonZeroUsize>,
    /// `MAX_CONNECTIONS`: the maximum number of open connections, 1 to 1000000; default 1024. Further ones wait until one closes.
    pub max_connections: NonZeroUsize,
    /// `METRICS`: `true` if `GET /metrics` answers with metrics for Prometheus; default `false`.
    /// `METRICS_ADDRESS`: a separate address and port for metrics only, such as `127.0.0.1:9090`, instead of `HOST` and `PORT`.
    pub metrics: Option<MetricsPlace>,
    /// `SHUTDOWN_DELAY_SECONDS`: how long requests are still accepted after the stop signal, while `GET /ready` answers 503, 0 to 300;
    /// default 0.
    pub shutdown_delay: Duration,
    /// `SHUTDOWN_TIMEOUT_SECONDS`: how long requests in progress and their writes may take after that, 0 to 3600; default 25. Then
    /// the remaining connections are closed.
    pub shutdown_timeout: Duration,
}

/// Where Prometheus metrics are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsPlace {
    /// At `HOST` and `PORT`.
    WithService,
    /// At a separate address.
    At(SocketAddr),
}

pub(super) fn settings<L>(env: &Environment<L>) -> Result<ServerSettings, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let address = match env.get("METRICS_ADDRESS")? {
        None => None,
        Some(address) => {
            let allowed = "must be an IP address and a port, such as 127.0.0.1:9090";
            Some(address.parse().map_err(|_| error("METRICS_ADDRESS", allowed))?)
        }
    };
    let with_service = env.flag("METRICS")?.then_some(MetricsPlace::WithService);
    let one = NonZeroUsize::MIN;
    let most = |most| NonZeroUsize::new(most).expect("more than 0");
    let workers = match env.get("WORKERS")? {
        // The local server counts the processors itself: counting here would slow down cold starts.
        None => None,
        Some(_) => Some(env.number("WORKERS", one, one, most(256))?),
    };
    Ok(ServerSettings {
        host: env.get("HOST")?.unwrap_or_else(|| "127.0.0.1".to_owned()),
        port: env.number("PORT", 8080, 0, u16::MAX)?,
        workers,
        max_connections: env.number("MAX_CONNECTIONS", most(1024), one, most(1_000_000))?,
        metrics: address.map(MetricsPlace::At).or(with_service),
        shutdown_delay: Duration::from_secs(env.number("SHUTDOWN_DELAY_SECONDS", 0, 0, 300)?),
        shutdown_timeout: Duration::from_secs(env.number("SHUTDOWN_TIMEOUT_SECONDS", 25, 0, 3600)?),
    })
}
