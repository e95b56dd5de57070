//! How long a server takes to answer.

use std::time::{Duration, Instant};

use prediction_cache::Fault;
use redis::cmd;

use crate::nodes::{Node, RedisNodes};

/// The number of commands that are timed, one after the other.
const COMMANDS: usize = 5;

/// The median time of a short command on this node. A lookup takes as long.
pub(super) async fn round_trip(redis: &mut RedisNodes, node: &Node) -> Result<Duration, Fault> {
    let mut times = Vec::with_capacity(COMMANDS);
    for _ in 0..COMMANDS {
        // The report needs the right to run it anyway, and it counts as no lookup.
        let mut command = cmd("INFO");
        command.arg("keyspace");
        let start = Instant::now();
        redis.on_node::<String>(node, command).await?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[COMMANDS / 2])
}
