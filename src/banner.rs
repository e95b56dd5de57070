//! What the local server says of itself when it starts: one line each for the model, the cache, the predictions and the documentation.

use std::net::SocketAddr;

use model_package::EntryContent;
use predict_once::{
    http,
    model::Model,
    settings::{CacheSettings, ModelSource, StoreSettings, near_misses},
};
use prediction_cache::Layout;

/// Warns of variables that were probably meant as settings.
pub(crate) fn warn_of_near_misses() {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for (variable, setting) in near_misses(names.collect::<Vec<_>>().into_iter()) {
        tracing::warn!("{variable} is not a setting: did you mean {setting}?");
    }
}

/// The tiers of the cache, in the order in which they are asked. Never has credentials.
pub(crate) fn cache(settings: &CacheSettings, layout: Layout) -> String {
    if settings.bypass {
        return "off (CACHE_BYPASS)".to_owned();
    }
    let mut tiers = Vec::new();
    if let (Some(entries), Some(bytes)) = (settings.memory_entries, settings.memory_bytes) {
        tiers
            .push(format!("memory (at most {entries} entries and {:.1} MiB)", bytes.get() as f64 / f64::from(1 << 20)));
    }
    let store = match &settings.store {
        Some(StoreSettings::Redis(redis)) => {
            let kind = if redis.cluster { "Redis Cluster" } else { "Redis" };
            Some(format!("{kind} at {}", redis.connection.addr()))
        }
        Some(StoreSettings::DynamoDb(config)) => Some(format!("DynamoDB, table {}", config.table)),
        None => None,
    };
    tiers.extend(store.map(|store| format!("{store} (layout {})", layout.name())));
    if tiers.is_empty() { "none".to_owned() } else { tiers.join(", then ") }
}

/// Logs the model and where to find what, once the server's address is known.
pub(crate) fn log(model: &Model, source: &ModelSource, cache: &str, address: SocketAddr) {
    let (name, fingerprint) = (&model.signature().name, model.fingerprint(EntryContent::Answer));
    let origin = match source {
        ModelSource::Embedded => "embedded in the binary".to_owned(),
        ModelSource::Directory(path) => format!("from {}", path.display()),
        ModelSource::Remote(remote) => format!("from {}", remote.uri),
    };
    tracing::info!("model {name}, fingerprint {fingerprint}, {origin}");
    tracing::info!("cache: {cache}");
    let base = base(address);
    let predictions: Vec<_> = http::endpoint_paths(model).map(|path| format!("{base}{path}")).collect();
    tracing::info!("predictions: POST {}", predictions.join(", "));
    tracing::info!("documentation: {base}/docs");
}

/// The URL that leads from this machine to a listener, which may listen on all addresses.
fn base(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("http://localhost:{}", address.port()),
        false => format!("http://{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_at_localhost() {
        for (address, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:80", "http://localhost:80"),
            ("[::]:8080", "http://localhost:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(base(address.parse().expect("an address")), url);
        }
    }
}
