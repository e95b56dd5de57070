//! The settings of the local server.

use std::{net::SocketAddr, time::Duration};

use super::{Environment, SettingsError, error};

/// Where the local server listens, and what it tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// `HOST`: the address that the local server listens on; default `127.0.0.1`.
    pub host: String,
    /// `PORT`: the port that the local server listens on, 0 to 65535; default 8080. 0 picks a free one.
    pub port: u16,
    /// `METRICS`: `true` if `GET /metrics` answers with metrics for Prometheus; default `false`.
    /// `METRICS_ADDRESS`: an address and a port for that alone, such as `127.0.0.1:9090`, in place of `HOST` and `PORT`.
    pub metrics: Option<MetricsPlace>,
    /// `SHUTDOWN_DELAY_SECONDS`: how long requests are still accepted after the signal to stop, while `GET /ready` answers that
    /// no more should be sent, 0 to 300; default 0.
    pub shutdown_delay: Duration,
}

/// Where the metrics are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsPlace {
    /// Where the service is.
    WithService,
    /// At an address of their own.
    At(SocketAddr),
}

/// Reads the settings of the local server.
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
    Ok(ServerSettings {
        host: env.get("HOST")?.unwrap_or_else(|| "127.0.0.1".to_owned()),
        port: env.number("PORT", 8080, 0, u16::MAX)?,
        metrics: address.map(MetricsPlace::At).or(with_service),
        shutdown_delay: Duration::from_secs(env.number("SHUTDOWN_DELAY_SECONDS", 0, 0, 300)?),
    })
}
