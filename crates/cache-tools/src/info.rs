//! Parses the reply to `INFO`.

use std::collections::HashMap;

#[derive(Clone, Debug, Default)]
pub(super) struct Info(HashMap<String, String>);

impl Info {
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        Self(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// 0 if absent: servers omit fields that do not apply to them.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.text(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// The server and its version: `Redis 7.0.15`.
    pub(super) fn server(&self) -> String {
        match (self.text("valkey_version"), self.text("redis_version")) {
            (Some(version), _) => format!("Valkey {version}"),
            (None, version) => format!("Redis {}", version.unwrap_or("of an unknown version")),
        }
    }

    /// The number of keys in a database, and how many of them have a time to live.
    pub(super) fn keys(&self, database: i64) -> (u64, u64) {
        let line = self.text(&format!("db{database}")).unwrap_or_default();
        let part = |name| line.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
        (part("keys").unwrap_or_default(), part("expires").unwrap_or_default())
    }

    /// The number of error replies with this code. 0 before Redis 6.2, which does not count them.
    pub(super) fn error_replies(&self, code: &str) -> u64 {
        let line = self.text(&format!("errorstat_{code}"));
        line.and_then(|line| line.strip_prefix("count=")?.split(',').next()?.parse().ok()).unwrap_or_default()
    }

    /// The bytes used by keys, values and their tables, without those of the server, its clients and its replication.
    pub(super) fn used_by_keys(&self) -> u64 {
        let overhead =
            ["used_memory_startup", "mem_clients_normal", "mem_clients_slaves", "mem_cluster_links", "mem_aof_buffer"];
        let replication = self.number("mem_total_replication_buffers").max(self.number("mem_replication_backlog"));
        let overhead: u64 = overhead.iter().map(|name| self.number(name)).sum();
        self.number("used_memory").saturating_sub(overhead + replication)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_are_zero() {
        let info =
            Info::parse("# Server\r\nredis_version:7.0.15\r\nused_memory:100\r\ndb1:keys=3,expires=2,avg_ttl=5\r\n");
        assert_eq!(info.server(), "Redis 7.0.15");
        assert_eq!((info.keys(0), info.keys(1)), ((0, 0), (3, 2)));
        assert_eq!((info.number("used_memory"), info.number("maxmemory"), info.used_by_keys()), (100, 0, 100));
        assert_eq!(
            (Info::parse("errorstat_OOM:count=34\r\n").error_replies("OOM"), info.error_replies("OOM")),
            (34, 0)
        );
        let valkey = Info::parse("redis_version:7.2.4\nvalkey_version:8.1.0\n");
        assert_eq!(valkey.server(), "Valkey 8.1.0");
    }
}
