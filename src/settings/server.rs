//! The settings of the local server.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use super::{Environment, SettingsError, error, memory_limit};
use crate::server::DashboardSettings;

#[derive(Clone, Debug, PartialEq)]
pub struct ServerSettings {
    /// `HOST`: the address that the local server listens on; default `127.0.0.1`.
    pub host: String,
    /// `PORT`: the port that the local server listens on, 0 to 65535; default 8080. 0 picks a free one.
    pub port: u16,
    /// `WORKERS`: the number of threads that answer requests, 1 to 256; default: one per processor available to the process.
    pub workers: Option<NonZeroUsize>,
    /// `MAX_CONNECTIONS`: the maximum number of open connections, 1 to 1000000; default 1024. A further one closes one that is
    /// idle, or waits until one closes.
    pub max_connections: NonZeroUsize,
    /// `KEEP_ALIVE_SECONDS`: how long a connection may be idle before the server closes it, 1 to 86400; default 75, more than the idle
    /// timeout of usual load balancers: where the server closes first, a request can be lost.
    pub keep_alive: Duration,
    /// `MAX_CONCURRENT_BODY_BYTES`: the bytes of bodies over 16 KiB that the process holds at once, of all connections together, 4194304
    /// to 1099511627776. Default: see [`Self::body_bytes`].
    pub body_bytes: Option<usize>,
    /// `METRICS`: `true` if `GET /metrics` answers with metrics for Prometheus; default `false`.
    /// `METRICS_ADDRESS`: a separate address and port for metrics, such as `127.0.0.1:9090`, instead of `HOST` and `PORT`. It also
    /// answers `GET /health` and `GET /ready`, regardless of the number of connections to the API.
    pub metrics: Option<MetricsPlace>,
    /// `HEALTH_ADDRESS`: a separate address and port for `GET /health` and `GET /ready`, such as `127.0.0.1:9091`, regardless of the number of
    /// connections to the API, which answers both too; default none.
    pub health: Option<SocketAddr>,
    /// The dashboard at these addresses.
    ///
    /// * `COST_PER_GB_SECOND`: what a second of a gigabyte of memory costs, 0 or more, in any currency; default: the dashboard shows no costs.
    ///   It is multiplied by the memory that the process may use, or by 1 GB if that has no limit.
    /// * `DASHBOARD_INPUTS`: `hide`, the default, or `show`: whether the dashboard shows the fields of the commonest inputs.
    pub dashboard: DashboardSettings,
    /// `SHUTDOWN_DELAY_SECONDS`: how long requests are still accepted after the stop signal, while `GET /ready` answers 503, 0 to 300;
    /// default 0.
    pub shutdown_delay: Duration,
    /// `SHUTDOWN_TIMEOUT_SECONDS`: how long requests in progress and their writes may take after that, 0 to 3600; default 25. Then
    /// the remaining connections are closed.
    pub shutdown_timeout: Duration,
}

impl ServerSettings {
    /// Whether there is an address that clients cannot reach, which has the dashboard.
    pub fn has_dashboard(&self) -> bool {
        self.health.is_some() || matches!(self.metrics, Some(MetricsPlace::At(_)))
    }

    /// The limit of the bytes in bodies. By default, a thirty-second of the memory that the process may use, from 4 to 64 MiB. An array
    /// takes up to eight times its bytes while it is parsed, so that all of them take at most a quarter of the memory.
    pub fn body_bytes(&self) -> usize {
        const MEBIBYTE: u64 = 1024 * 1024;
        let default =
            || memory_limit().map_or(u64::MAX, |limit| limit / 32).clamp(4 * MEBIBYTE, 64 * MEBIBYTE) as usize;
        self.body_bytes.unwrap_or_else(default)
    }
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
    let address = |variable| -> Result<Option<SocketAddr>, SettingsError> {
        let allowed = "must be an IP address and a port, such as 127.0.0.1:9090";
        env.get(variable)?.map(|address| address.parse().map_err(|_| error(variable, allowed))).transpose()
    };
    let cost_per_gb_second = match env.get("COST_PER_GB_SECOND")? {
        None => None,
        Some(cost) => {
            let cost = cost.parse().ok().filter(|cost: &f64| cost.is_finite() && *cost >= 0.0);
            Some(cost.ok_or_else(|| error("COST_PER_GB_SECOND", "must be a number of 0 or more"))?)
        }
    };
    let show_inputs = match env.get("DASHBOARD_INPUTS")?.as_deref() {
        None | Some("hide") => false,
        Some("show") => true,
        Some(_) => return Err(error("DASHBOARD_INPUTS", "must be hide or show")),
    };
    let with_service = env.flag("METRICS")?.then_some(MetricsPlace::WithService);
    let one = NonZeroUsize::MIN;
    let most = |most| NonZeroUsize::new(most).expect("more than 0");
    let workers = match env.get("WORKERS")? {
        // The local server counts the processors itself: counting here would slow down cold starts.
        None => None,
        Some(_) => Some(env.number("WORKERS", one, one, most(256))?),
    };
    let body_bytes = match env.get("MAX_CONCURRENT_BODY_BYTES")? {
        // Only the local server has this limit: reading the memory's would slow down cold starts.
        None => None,
        Some(_) => Some(env.number("MAX_CONCURRENT_BODY_BYTES", 0, 4 << 20, 1 << 40)?),
    };
    Ok(ServerSettings {
        host: env.get("HOST")?.unwrap_or_else(|| "127.0.0.1".to_owned()),
        port: env.number("PORT", 8080, 0, u16::MAX)?,
        workers,
        body_bytes,
        max_connections: env.number("MAX_CONNECTIONS", most(1024), one, most(1_000_000))?,
        keep_alive: Duration::from_secs(env.number("KEEP_ALIVE_SECONDS", 75, 1, 86_400)?),
        metrics: address("METRICS_ADDRESS")?.map(MetricsPlace::At).or(with_service),
        health: address("HEALTH_ADDRESS")?,
        dashboard: DashboardSettings { cost_per_gb_second, show_inputs },
        shutdown_delay: Duration::from_secs(env.number("SHUTDOWN_DELAY_SECONDS", 0, 0, 300)?),
        shutdown_timeout: Duration::from_secs(env.number("SHUTDOWN_TIMEOUT_SECONDS", 25, 0, 3600)?),
    })
}
