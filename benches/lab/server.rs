//! A redis-server of the laboratory.

use std::io;

use test_support::redis::Redis;

use super::wire::Wire;

pub(crate) struct Server {
    /// Ends with it.
    _redis: Redis,
    pub(crate) wire: Wire,
}

impl Server {
    pub(crate) async fn start() -> io::Result<Self> {
        let redis = Redis::start().await;
        let wire = Wire::connect(redis.port)?;
        Ok(Self { _redis: redis, wire })
    }

    /// Empties it and leaves so much room for entries, in bytes, above what an empty server takes.
    pub(crate) fn prepare(&mut self, policy: &str, room: u64) -> io::Result<()> {
        for command in [&["CONFIG", "SET", "maxmemory", "0"][..], &["FLUSHALL", "SYNC"], &["CONFIG", "RESETSTAT"]] {
            self.wire.command(command)?;
        }
        let limit = self.wire.info_number("used_memory")? + room;
        self.wire.command(&["CONFIG", "SET", "maxmemory-policy", policy])?;
        self.wire.command(&["CONFIG", "SET", "maxmemory", &limit.to_string()])?;
        Ok(())
    }

    /// The server's settings that the results depend on, none of which the laboratory sets.
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
