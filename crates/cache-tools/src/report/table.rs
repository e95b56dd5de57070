//! The report as a table.

use std::{fmt, time::Duration};

use model_package::printable_line;

use super::{
    super::{
        format::{approximate, bytes, count, duration, percent, plural, row},
        sample::KeyKind,
    },
    CacheReport, KindReport, SampleReport, Stats,
    stats::ratio,
};

impl fmt::Display for CacheReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "model", format_args!("{} {}", self.model, self.fingerprint))?;
        row(f, "entries", format_args!("namespace {}, layout {}", self.namespace, self.layout))?;
        self.servers(f)?;
        self.lookups(f)?;
        let Stats { keys, keys_without_ttl, evicted, expired, .. } = self.total;
        row(f, "keys", format_args!("{}, {} without a time to live", count(keys), count(keys_without_ttl)))?;
        row(f, "", format_args!("{} evicted, {} expired", count(evicted), count(expired)))?;
        if let Some(sample) = &self.sample {
            sample.rows(f, self.layout)?;
        }
        row(f, "more memory", &self.more_memory.summary)?;
        row(f, "", self.more_memory.basis)?;
        match self.warnings.len() {
            0 => write!(f, "\nno warnings"),
            warnings => {
                write!(f, "\n{}:", plural(warnings as u64, "warning", "warnings"))?;
                self.warnings.iter().try_for_each(|warning| write!(f, "\n  {}", printable_line(warning)))
            }
        }
    }
}

impl CacheReport {
    fn servers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for node in &self.nodes {
            let up = duration(Duration::from_secs(node.uptime_seconds));
            let name = if self.nodes.len() == 1 { "server" } else { "node" };
            row(f, name, format_args!("{}, {}, up {up}", node.address, node.server))?;
            row(f, "  memory", format_args!("{}, {}", memory(&node.stats), node.policy))?;
            if self.nodes.len() > 1 {
                let Stats { keys, evicted, hits, misses, .. } = node.stats;
                let hit =
                    ratio(hits, misses).map_or("no lookups".to_owned(), |ratio| format!("{} hits", percent(ratio)));
                row(f, "  keys", format_args!("{}, {} evicted, {hit}", count(keys), count(evicted)))?;
            }
            let connections = match node.stats.max_clients {
                0 => count(node.stats.clients),
                most => format!("{} of {}", count(node.stats.clients), count(most)),
            };
            row(
                f,
                "  connections",
                format_args!("{connections}, {} rejected", count(node.stats.rejected_connections)),
            )?;
            if let Some(round_trip) = node.round_trip_ms {
                row(f, "  round trip", format_args!("{round_trip:.2} ms, the least that a lookup takes from here"))?;
            }
        }
        if self.nodes.len() > 1 {
            row(f, "all nodes", memory(&self.total))?;
        }
        Ok(())
    }

    fn lookups(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { hits, misses, hit_ratio, recent, .. } = self.total;
        let Some(ratio_so_far) = hit_ratio else { return row(f, "hit ratio", "no lookups yet") };
        let up = self.nodes.iter().map(|node| node.uptime_seconds).max().unwrap_or_default();
        let up = duration(Duration::from_secs(up));
        row(
            f,
            "hit ratio",
            format_args!("{} of {} lookups in Redis by all users,", percent(ratio_so_far), count(hits + misses)),
        )?;
        row(f, "", format_args!("since the server started {up} ago, or since CONFIG RESETSTAT"))?;
        let now = match ratio(recent.hits, recent.misses) {
            None => "no lookups".to_owned(),
            Some(ratio) => format!("{} of {} lookups", percent(ratio), count(recent.hits + recent.misses)),
        };
        row(f, "", format_args!("{now} in the last {:.1} s", recent.seconds))?;
        row(f, "", "clients see more hits, those in the memory of each process too: predict-once stats URL")
    }
}

impl SampleReport {
    fn rows(&self, f: &mut fmt::Formatter<'_>, layout: &str) -> fmt::Result {
        let coverage = if self.is_whole { "covers all keys" } else { "shares are estimates" };
        row(f, "sample", format_args!("{}; {coverage}", plural(self.keys as u64, "key", "keys")))?;
        for kind in &self.kinds {
            let name = match kind.kind {
                KeyKind::Current => format!("  this model, {layout}"),
                KeyKind::OtherLayout => "  its other layouts".to_owned(),
                KeyKind::OtherTenancy => "  other tenancy".to_owned(),
                KeyKind::OtherModel => "  other models".to_owned(),
                KeyKind::Foreign => "  outside namespace".to_owned(),
            };
            row(f, &name, kind)?;
        }
        Ok(())
    }
}

impl fmt::Display for KindReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries_margin > 0.0 {
            write!(f, "about {} ± {}", approximate(self.entries), approximate(self.entries_margin))?;
        } else {
            write!(f, "{}", count(self.entries as u64))?;
        }
        match self.mean_bytes {
            Some(mean) => write!(f, ", {mean:.0} bytes each (MEMORY USAGE, mean of {})", self.weighed),
            None => Ok(()),
        }
    }
}

fn memory(stats: &Stats) -> String {
    let used = bytes(stats.used_memory_bytes);
    match stats.fullness() {
        Some(share) => format!("{used} of {} ({})", bytes(stats.maxmemory_bytes), percent(share)),
        None => format!("{used}, no limit"),
    }
}
