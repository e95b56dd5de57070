//! What should be looked after, each in a sentence that says what to do.

use super::{
    super::{
        Subject,
        info::Info,
        sample::Kind,
        words::{about, bytes, count, percent, plural},
    },
    KindReport, Report,
};
use prediction_cache::Layout;

use crate::nodes::Node;

/// From this share of what is allowed on, it is worth a warning.
const NEARLY: f64 = 0.9;

/// From this share of the keys on, what is not ours is worth a warning.
const NOTABLE: f64 = 0.05;

impl Report {
    /// Adds what should be looked after.
    pub(super) fn warn(&mut self, subject: &Subject, nodes: &[(Node, Info)], times_to_live: &[Option<u64>]) {
        let mut warnings = std::mem::take(&mut self.warnings);
        self.of_memory(&mut warnings);
        self.of_servers(subject, nodes, &mut warnings);
        self.of_entries(times_to_live, &mut warnings);
        if subject.layout == Layout::Hash && self.total.hits > 0 {
            warnings.push(
                "Redis counts a lookup as a hit if the Hash is there, even without the field that was asked for: rely on the \
                 service's own metrics"
                    .to_owned(),
            );
        }
        self.warnings = warnings;
    }

    fn of_memory(&self, warnings: &mut Vec<String>) {
        for node in &self.nodes {
            let (address, figures) = (&node.address, &node.figures);
            let fullness = figures.fullness();
            if fullness.is_none() {
                warnings.push(format!(
                    "{address}: maxmemory is not set, so Redis grows until the system ends it: set it, with allkeys-lfu"
                ));
            }
            if node.policy == "noeviction" {
                let when = match fullness {
                    Some(share) if share >= NEARLY => format!("at {} of its memory, it is about to", percent(share)),
                    _ => "once full, it will".to_owned(),
                };
                warnings.push(format!(
                    "{address}: maxmemory-policy is noeviction: {when} refuse new entries; allkeys-lfu evicts the least-used ones"
                ));
            }
            if node.policy.starts_with("volatile-") && figures.keys_without_ttl > 0 {
                warnings.push(format!(
                    "{address}: {} a time to live, which {} never evicts: they can crowd predictions out",
                    plural(figures.keys_without_ttl, "key has not", "keys do not have"),
                    node.policy
                ));
            }
            if figures.recent.evicted > 0 {
                warnings.push(format!(
                    "{address}: evicting now: {} in {:.1} s",
                    plural(figures.recent.evicted, "key", "keys"),
                    figures.recent.seconds
                ));
            }
            if figures.rejected_connections > 0 {
                warnings.push(format!(
                    "{address}: {} refused because there were too many: raise maxclients",
                    plural(figures.rejected_connections, "connection was", "connections were")
                ));
            }
            if figures.max_clients > 0 && figures.clients as f64 >= NEARLY * figures.max_clients as f64 {
                warnings.push(format!(
                    "{address}: {} of {} connections are open",
                    count(figures.clients),
                    count(figures.max_clients)
                ));
            }
        }
    }

    fn of_servers(&self, subject: &Subject, nodes: &[(Node, Info)], warnings: &mut Vec<String>) {
        for (Node { address, .. }, info) in nodes {
            if info.text("role") == Some("slave") {
                warnings.push(format!("{address} is a replica: it refuses writes; REDIS_URL should name the primary"));
            }
            if info.number("cluster_enabled") == 1 && !subject.redis.cluster {
                warnings.push(format!("{address} is a node of a cluster: set REDIS_CLUSTER=true"));
            }
        }
    }

    fn of_entries(&self, times_to_live: &[Option<u64>], warnings: &mut Vec<String>) {
        let Some(sample) = &self.sample else { return };
        let notable = |kind: &&KindReport| kind.sampled as f64 >= NOTABLE * sample.keys as f64;
        if sample.kind(Kind::Current).is_none() && self.total.keys > 0 {
            warnings.push(format!(
                "no entry of this model was found under {}: are CACHE_NAMESPACE, CACHE_LAYOUT, CACHE_PER_TENANT and MODEL_DIR those of \
                 the service?",
                self.namespace
            ));
        }
        let eternal = times_to_live.iter().filter(|time| time.is_none()).count();
        if eternal > 0 {
            warnings.push(format!(
                "{eternal} of {} sampled entries have no time to live: another program has written or changed them",
                times_to_live.len()
            ));
        }
        if let Some(others) = sample.kind(Kind::OtherModel).filter(notable) {
            warnings.push(format!(
                "about {} entries are of other models or versions (fingerprint {}){}: if these are retired, their entries expire, \
                 or can be cleared",
                about(others.entries),
                listed(&others.parts),
                memory(others)
            ));
        }
        if let Some(others) = sample.kind(Kind::OtherTenancy).filter(notable) {
            warnings.push(format!(
                "about {} entries of this model are {}{}, which a service with this CACHE_PER_TENANT does not read",
                about(others.entries),
                listed(&others.parts),
                memory(others)
            ));
        }
        if let Some(others) = sample.kind(Kind::OtherLayout).filter(notable) {
            warnings.push(format!(
                "about {} entries of this model are in another layout ({}){}, which a service with CACHE_LAYOUT={} does not read",
                about(others.entries),
                listed(&others.parts),
                memory(others),
                self.layout
            ));
        }
    }
}

/// How much memory they take, if that is known.
fn memory(kind: &KindReport) -> String {
    kind.mean_bytes.map(|mean| format!(" and take about {}", bytes((mean * kind.entries) as u64))).unwrap_or_default()
}

fn listed(parts: &[String]) -> String {
    match parts {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        all => all.join(", "),
    }
}
