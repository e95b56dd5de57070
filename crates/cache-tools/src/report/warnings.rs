//! Warnings, each with the remedy.

use super::{
    super::{
        Target,
        format::{approximate, bytes, count, percent, plural},
        info::Info,
        sample::KeyKind,
    },
    CacheReport, KindReport,
};
use prediction_cache::Layout;

use crate::nodes::Node;

/// The share of a limit that triggers a warning.
const NEARLY: f64 = 0.9;

/// The share of the lookup's deadline from which a round trip triggers a warning: the slower half of them may not be waited for.
const SLOW: f64 = 0.5;

/// The share of the sample from which keys of another model, layout or tenancy trigger a warning.
const NOTABLE: f64 = 0.05;

impl CacheReport {
    pub(super) fn add_warnings(&mut self, target: &Target, nodes: &[(Node, Info)], times_to_live: &[Option<u64>]) {
        let mut warnings = std::mem::take(&mut self.warnings);
        self.warn_of_memory(&mut warnings);
        self.warn_of_servers(target, nodes, &mut warnings);
        self.warn_of_latency(target, &mut warnings);
        self.warn_of_entries(times_to_live, &mut warnings);
        if target.layout == Layout::Hash && self.total.hits > 0 {
            warnings.push(
                "Redis counts a lookup as a hit if the Hash exists, even without the requested field: use the service's own metrics"
                    .to_owned(),
            );
        }
        self.warnings = warnings;
    }

    fn warn_of_memory(&self, warnings: &mut Vec<String>) {
        for node in &self.nodes {
            let (address, stats) = (&node.address, &node.stats);
            let fullness = stats.fullness();
            if fullness.is_none() {
                warnings.push(format!(
                    "{address}: maxmemory is not set: Redis will grow until the kernel kills it. Set maxmemory and \
                     maxmemory-policy allkeys-lfu"
                ));
            }
            if node.policy == "noeviction" {
                let when = match fullness {
                    _ if stats.refused_writes > 0 => {
                        format!(
                            "it has refused {}, and when full, it will",
                            plural(stats.refused_writes, "write", "writes")
                        )
                    }
                    Some(share) if share >= NEARLY => format!("at {} of maxmemory, it will soon", percent(share)),
                    _ => "once full, it will".to_owned(),
                };
                warnings.push(format!(
                    "{address}: maxmemory-policy is noeviction: {when} refuse new entries. Set allkeys-lfu, which evicts the \
                     least-used entries"
                ));
            }
            if node.policy.starts_with("volatile-") && stats.keys_without_ttl > 0 {
                warnings.push(format!(
                    "{address}: {} no time to live, and {} never evicts such keys: they can crowd out predictions",
                    plural(stats.keys_without_ttl, "key has", "keys have"),
                    node.policy
                ));
            }
            if stats.recent.evicted > 0 {
                warnings.push(format!(
                    "{address}: evicting now: {} in {:.1} s",
                    plural(stats.recent.evicted, "key", "keys"),
                    stats.recent.seconds
                ));
            }
            if stats.rejected_connections > 0 {
                warnings.push(format!(
                    "{address}: {} refused at the limit: raise maxclients",
                    plural(stats.rejected_connections, "connection was", "connections were")
                ));
            }
            if stats.max_clients > 0 && stats.clients as f64 >= NEARLY * stats.max_clients as f64 {
                warnings.push(format!(
                    "{address}: {} of {} connections are open",
                    count(stats.clients),
                    count(stats.max_clients)
                ));
            }
        }
    }

    fn warn_of_servers(&self, target: &Target, nodes: &[(Node, Info)], warnings: &mut Vec<String>) {
        for (Node { address, .. }, info) in nodes {
            if info.text("role") == Some("slave") {
                warnings.push(format!("{address} is a replica and refuses writes: set REDIS_URL to the primary"));
            }
            if info.number("cluster_enabled") == 1 && !target.redis.cluster {
                warnings.push(format!("{address} is a node of a cluster: set REDIS_CLUSTER=true"));
            }
        }
    }

    fn warn_of_latency(&self, target: &Target, warnings: &mut Vec<String>) {
        let deadline = target.redis.read_timeout.as_secs_f64() * 1e3;
        for node in &self.nodes {
            let Some(round_trip) = node.round_trip_ms.filter(|time| *time >= SLOW * deadline) else { continue };
            let lookups =
                if round_trip >= deadline { "no lookup is waited for" } else { "lookups may not be waited for" };
            warnings.push(format!(
                "{}: Redis is {round_trip:.1} ms away, and the service waits {deadline} ms for a lookup \
                 (CACHE_READ_TIMEOUT_MS): {lookups}. Run it closer to the service, or raise the deadline if the model is slower",
                node.address
            ));
        }
    }

    fn warn_of_entries(&self, times_to_live: &[Option<u64>], warnings: &mut Vec<String>) {
        let Some(sample) = &self.sample else { return };
        let notable = |kind: &&KindReport| kind.sampled as f64 >= NOTABLE * sample.keys as f64;
        if sample.kind(KeyKind::Current).is_none() && self.total.keys > 0 {
            warnings.push(format!(
                "no entries of this model found in namespace {}: check that CACHE_NAMESPACE, CACHE_LAYOUT, CACHE_PER_TENANT and MODEL_DIR \
                 match the service's",
                self.namespace
            ));
        }
        let without_ttl = times_to_live.iter().filter(|time| time.is_none()).count();
        if without_ttl > 0 {
            warnings.push(format!(
                "{without_ttl} of {} sampled entries have no time to live: another program wrote or changed them",
                times_to_live.len()
            ));
        }
        if let Some(others) = sample.kind(KeyKind::OtherModel).filter(notable) {
            warnings.push(format!(
                "about {} entries belong to other models or versions (fingerprint {}){}: entries of retired models expire, or can be \
                 cleared",
                approximate(others.entries),
                listed(&others.parts),
                memory(others)
            ));
        }
        if let Some(others) = sample.kind(KeyKind::OtherTenancy).filter(notable) {
            warnings.push(format!(
                "about {} entries of this model have another tenancy ({}){}: a service with this CACHE_PER_TENANT does not read them",
                approximate(others.entries),
                listed(&others.parts),
                memory(others)
            ));
        }
        if let Some(others) = sample.kind(KeyKind::OtherLayout).filter(notable) {
            warnings.push(format!(
                "about {} entries of this model are in another layout ({}){}: a service with CACHE_LAYOUT={} does not read them",
                approximate(others.entries),
                listed(&others.parts),
                memory(others),
                self.layout
            ));
        }
    }
}

/// The estimated memory of these keys, if known.
fn memory(kind: &KindReport) -> String {
    kind.mean_bytes.map(|mean| format!(", about {}", bytes((mean * kind.entries) as u64))).unwrap_or_default()
}

fn listed(parts: &[String]) -> String {
    match parts {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        all => all.join(", "),
    }
}
