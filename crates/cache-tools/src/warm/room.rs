//! How full Redis is.

use prediction_cache::{Fault, redis::RedisConfig};
use redis::cmd;

use super::super::{ToolError, info::Info, refused};
use crate::nodes::RedisNodes;

/// Watches the memory of every node.
pub(super) struct Room {
    redis: RedisNodes,
    /// Whether every node has a limit.
    pub(super) is_limited: bool,
}

impl Room {
    /// Connects, and tells if there is no limit to watch.
    pub(super) async fn watch(config: &RedisConfig, until: f64) -> Result<Self, ToolError> {
        let address = || config.connection.addr().to_string();
        let connected = RedisNodes::connect(config).await;
        let redis = connected.map_err(|fault| ToolError::Unreachable { address: address(), fault })?;
        let mut room = Self { redis, is_limited: true };
        room.fullness().await.map_err(refused("INFO memory"))?;
        if !room.is_limited {
            eprintln!("maxmemory is not set: stops at {until} of the memory of the machine that Redis runs on");
        }
        Ok(room)
    }

    /// The share of its limit that the fullest node has used. A node without one may use the machine's memory.
    pub(super) async fn fullness(&mut self) -> Result<f64, Fault> {
        let mut command = cmd("INFO");
        command.arg("memory");
        let mut fullest = 0.0_f64;
        for (_, text) in self.redis.each::<String>(command).await? {
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
