//! The laboratory's redis-server.

use std::io;

use test_support::redis::Redis;

use super::wire::Wire;

pub(crate) struct Server {
    /// Kept so that the process ends on drop.
    _redis: Redis,
    pub(crate) wire: Wire,
}

impl Server {
    pub(crate) async fn start() -> io::Result<Self> {
        let redis = Redis::start().await;
        let wire = Wire::connect(redis.port)?;
        Ok(Self { _redis: redis, wire })
    }

    /// Empties the server and sets its memory limit to `room` bytes more than an empty server uses.
    pub(crate) fn prepare(&mut self, policy: &str, room: u64) -> io::Result<()> {
        for command in [&["CONFIG", "SET", "maxmemory", "0"][..], &["FLUSHALL", "SYNC"], &["CONFIG", "RESETSTAT"]] {
            self.wire.command(command)?;
        }
        let limit = self.wire.info_number("used_memory")? + room;
        self.wire.command(&["CONFIG", "SET", "maxmemory-policy", policy])?;
        self.wire.command(&["CONFIG", "SET", "maxmemory", &limit.to_string()])?;
        Ok(())
    }

    /// The settings that affect the results. The laboratory leaves them at their defaults.
    pub(crate) fn settings(&mut self) -> io::Result<Vec<(String, String)>> {
        let names = ["maxmemory-samples", "lfu-log-factor", "lfu-decay-time", "hz"];
        names
            .iter()
            .map(|name| self.wire.command(&["CONFIG", "GET", name]).map(|reply| (*name, reply)))
            .map(setting)
            .collect()
    }
}

fn setting(answer: io::Result<(&str, super::wire::Reply)>) -> io::Result<(String, String)> {
    use super::wire::Reply;
    let (name, reply) = answer?;
    match reply {
        Reply::Many(words) => match words.get(1) {
            Some(Reply::Text(value)) => Ok((name.to_owned(), String::from_utf8_lossy(value).into_owned())),
            _ => Err(io::Error::other(format!("Redis has no setting {name}"))),
        },
        _ => Err(io::Error::other(format!("Redis does not tell {name}"))),
    }
}
