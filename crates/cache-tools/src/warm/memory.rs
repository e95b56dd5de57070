//! Watches how full Redis is.

use prediction_cache::{Fault, redis::RedisConfig};
use redis::cmd;

use super::super::{ToolError, info::Info, refused};
use crate::nodes::RedisNodes;

pub(super) struct MemoryWatch {
    redis: RedisNodes,
    /// Whether every node has `maxmemory`.
    pub(super) is_limited: bool,
}

impl MemoryWatch {
    /// Connects, and warns if a node has no `maxmemory`.
    pub(super) async fn start(config: &RedisConfig, until: f64) -> Result<Self, ToolError> {
        let address = || config.connection.addr().to_string();
        let connected = RedisNodes::connect(config).await;
        let redis = connected.map_err(|fault| ToolError::Unreachable { address: address(), fault })?;
        let mut watch = Self { redis, is_limited: true };
        watch.fullness().await.map_err(refused("INFO memory"))?;
        if !watch.is_limited {
            eprintln!("maxmemory is not set: warming stops at {until} of the machine's memory");
        }
        Ok(watch)
    }

    /// The used share of the fullest node's limit: `maxmemory`, or the machine's memory without it.
    pub(super) async fn fullness(&mut self) -> Result<f64, Fault> {
        let mut command = cmd("INFO");
        command.arg("memory");
        let mut fullest = 0.0_f64;
        for (_, text) in self.redis.on_every_node::<String>(command).await? {
            let info = Info::parse(&text);
            let limit = match info.number("maxmemory") {
                0 => {
                    self.is_limited = false;
                    info.number("total_system_memory")
                }
                limit => limit,
            };
            if limit > 0 {
                fullest = fullest.max(info.number("used_memory") as f64 / limit as f64);
            }
        }
        Ok(fullest)
    }
}
