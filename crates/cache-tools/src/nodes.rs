//! Commands to each server of Redis, for tools.
//!
//! Tools connect as the service does, but with longer timeouts, because no client is waiting.

use std::time::Duration;

use futures_util::future::join_all;
use prediction_cache::{
    Fault,
    redis::{Connection, RedisConfig},
};
use redis::{
    Cmd, FromRedisValue, RedisResult, Value,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo},
    from_redis_value,
};
use tokio::time::timeout;

/// The shortest timeout of a tool's command.
const MIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A server that holds keys: the only one, or a primary node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) address: String,
    /// Host and port, for commands to this node of a cluster.
    route: Option<(String, u16)>,
}

/// An open connection, to all nodes of a cluster.
pub(crate) struct RedisNodes {
    connection: Connection,
    address: String,
    timeout: Duration,
}

/// Raises the timeouts to at least [`MIN_TIMEOUT`].
pub(crate) fn with_tool_timeouts(config: RedisConfig) -> RedisConfig {
    let (read_timeout, write_timeout) = (config.read_timeout.max(MIN_TIMEOUT), config.write_timeout.max(MIN_TIMEOUT));
    RedisConfig { read_timeout, write_timeout, ..config }
}

impl RedisNodes {
    /// # Errors
    ///
    /// If connecting fails or times out.
    pub(crate) async fn connect(config: &RedisConfig) -> Result<Self, Fault> {
        let config = with_tool_timeouts(config.clone());
        config.prepare()?;
        let limit = config.read_timeout;
        let connection = timeout(limit, config.open()).await.map_err(|_| Fault::Timeout(None))??;
        Ok(Self { connection, address: config.connection.addr().to_string(), timeout: limit })
    }

    /// Sends a command to every node that holds keys.
    ///
    /// # Errors
    ///
    /// If a node does not answer, or answers with an error.
    pub(crate) async fn on_every_node<T: FromRedisValue>(&mut self, command: Cmd) -> Result<Vec<(Node, T)>, Fault> {
        if let Connection::Single(_) = self.connection {
            let answer = self.run(command).await?;
            return Ok(vec![(Node { address: self.address.clone(), route: None }, answer)]);
        }
        let routing = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answers: Vec<(String, Value)> = convert(self.run_routed(command, routing).await?)?;
        let mut nodes = Vec::with_capacity(answers.len());
        for (address, answer) in answers {
            let route = address.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
            nodes.push((Node { address, route }, convert(answer)?));
        }
        nodes.sort_by(|(one, _), (other, _)| one.address.cmp(&other.address));
        Ok(nodes)
    }

    /// Sends a command to one node.
    ///
    /// # Errors
    ///
    /// If it does not answer, or answers with an error.
    pub(crate) async fn on_node<T: FromRedisValue>(&mut self, node: &Node, command: Cmd) -> Result<T, Fault> {
        let Some((host, port)) = node.route.clone() else { return self.run(command).await };
        let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
        convert(self.run_routed(command, routing).await?)
    }

    /// Sends commands concurrently, each to the node that holds its key.
    pub(crate) async fn run_all<T: FromRedisValue>(&self, commands: Vec<Cmd>) -> Vec<Result<T, Fault>> {
        let run = async |command| self.run(command).await;
        join_all(commands.into_iter().map(run)).await
    }

    async fn run<T: FromRedisValue>(&self, command: Cmd) -> Result<T, Fault> {
        let running = async {
            match self.connection.clone() {
                Connection::Single(mut server) => command.query_async(&mut server).await,
                Connection::Cluster(mut cluster) => command.query_async(&mut cluster).await,
            }
        };
        timeout(self.timeout, running).await.map_err(|_| Fault::Timeout(None))?.map_err(Fault::from)
    }

    async fn run_routed(&self, command: Cmd, routing: RoutingInfo) -> Result<Value, Fault> {
        let answer = match self.connection.clone() {
            Connection::Cluster(mut cluster) => {
                timeout(self.timeout, async move { cluster.route_command(command, routing).await }).await
            }
            Connection::Single(mut server) => {
                timeout(self.timeout, async move { command.query_async(&mut server).await }).await
            }
        };
        answer.map_err(|_| Fault::Timeout(None))?.map_err(Fault::from)
    }
}

fn convert<T: FromRedisValue>(value: Value) -> Result<T, Fault> {
    let converted: RedisResult<T> = value.extract_error().and_then(|value| Ok(from_redis_value(value)?));
    converted.map_err(Fault::from)
}
