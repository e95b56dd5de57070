//! Statistics of servers, from `INFO`.

use std::time::Duration;

use serde::Serialize;

use super::super::info::Info;
use crate::nodes::Node;

/// A server that holds keys.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NodeReport {
    pub(super) address: String,
    pub(super) server: String,
    pub(super) uptime_seconds: u64,
    /// `maxmemory-policy`
    pub(super) policy: String,
    /// The time that a short command takes, and thus a lookup. `None` if the node joined during the report.
    pub(super) round_trip_ms: Option<f64>,
    #[serde(flatten)]
    pub(super) stats: Stats,
}

/// Statistics of a server or of a whole cluster. Counters start at the start of the server or at `CONFIG RESETSTAT`.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Stats {
    /// Keys in the configured database.
    pub(super) keys: u64,
    pub(super) keys_without_ttl: u64,
    pub(super) used_memory_bytes: u64,
    /// 0 for no limit.
    pub(super) maxmemory_bytes: u64,
    /// By all users of this Redis.
    pub(super) hits: u64,
    /// By all users of this Redis.
    pub(super) misses: u64,
    /// `None` before the first lookup.
    pub(super) hit_ratio: Option<f64>,
    pub(super) evicted: u64,
    pub(super) expired: u64,
    pub(super) recent: Recent,
    /// Open connections.
    pub(super) clients: u64,
    /// The limit of connections; 0 if the server does not report it.
    pub(super) max_clients: u64,
    /// Writes that were refused because memory was full (OOM), by all users of this Redis.
    pub(super) refused_writes: u64,
    /// Connections beyond the limit.
    pub(super) rejected_connections: u64,
}

/// The increase of counters between two readings.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Recent {
    /// The time between the readings.
    pub(super) seconds: f64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) evicted: u64,
}

impl NodeReport {
    /// From two readings of a server, `seconds` apart.
    pub(super) fn new(
        node: &Node,
        before: &Info,
        after: &Info,
        seconds: f64,
        database: i64,
        round_trip: Option<Duration>,
    ) -> Self {
        let increase = |name| after.number(name).saturating_sub(before.number(name));
        let (keys, with_ttl) = after.keys(database);
        let (hits, misses) = (after.number("keyspace_hits"), after.number("keyspace_misses"));
        Self {
            address: node.address.clone(),
            server: after.server(),
            uptime_seconds: after.number("uptime_in_seconds"),
            policy: after.text("maxmemory_policy").unwrap_or("unknown").to_owned(),
            round_trip_ms: round_trip.map(|time| (time.as_secs_f64() * 1e6).round() / 1e3),
            stats: Stats {
                keys,
                keys_without_ttl: keys.saturating_sub(with_ttl),
                used_memory_bytes: after.number("used_memory"),
                maxmemory_bytes: after.number("maxmemory"),
                hits,
                misses,
                hit_ratio: ratio(hits, misses),
                evicted: after.number("evicted_keys"),
                expired: after.number("expired_keys"),
                recent: Recent {
                    seconds: (seconds * 1000.0).round() / 1000.0,
                    hits: increase("keyspace_hits"),
                    misses: increase("keyspace_misses"),
                    evicted: increase("evicted_keys"),
                },
                clients: after.number("connected_clients"),
                max_clients: after.number("maxclients"),
                refused_writes: after.error_replies("OOM"),
                rejected_connections: after.number("rejected_connections"),
            },
        }
    }
}

impl Stats {
    pub(super) fn sum<'a>(nodes: impl Iterator<Item = &'a Self>) -> Self {
        let mut total = nodes.fold(Self::default(), |sum, node| Self {
            keys: sum.keys + node.keys,
            keys_without_ttl: sum.keys_without_ttl + node.keys_without_ttl,
            used_memory_bytes: sum.used_memory_bytes + node.used_memory_bytes,
            maxmemory_bytes: sum.maxmemory_bytes + node.maxmemory_bytes,
            hits: sum.hits + node.hits,
            misses: sum.misses + node.misses,
            hit_ratio: None,
            evicted: sum.evicted + node.evicted,
            expired: sum.expired + node.expired,
            recent: Recent {
                seconds: sum.recent.seconds.max(node.recent.seconds),
                hits: sum.recent.hits + node.recent.hits,
                misses: sum.recent.misses + node.recent.misses,
                evicted: sum.recent.evicted + node.recent.evicted,
            },
            clients: sum.clients + node.clients,
            max_clients: sum.max_clients + node.max_clients,
            refused_writes: sum.refused_writes + node.refused_writes,
            rejected_connections: sum.rejected_connections + node.rejected_connections,
        });
        total.hit_ratio = ratio(total.hits, total.misses);
        total
    }

    /// The used share of the memory limit. `None` without a limit.
    pub(super) fn fullness(&self) -> Option<f64> {
        (self.maxmemory_bytes > 0).then(|| self.used_memory_bytes as f64 / self.maxmemory_bytes as f64)
    }
}

pub(super) fn ratio(hits: u64, misses: u64) -> Option<f64> {
    let lookups = hits + misses;
    (lookups > 0).then(|| (hits as f64 / lookups as f64 * 1e4).round() / 1e4)
}
