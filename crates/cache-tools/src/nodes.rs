//! Redis, server by server: for tools that look into it. The service never comes here.
//!
//! It connects as the service does, and is more patient: nobody waits for a tool as for a prediction.

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

/// How long a tool waits for an answer at least.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that holds keys: the only one, or a primary node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Host and port.
    pub(crate) address: String,
    /// Where a cluster's client sends its commands.
    route: Option<(String, u16)>,
}

/// An open connection, to all nodes of a cluster.
pub(crate) struct RedisNodes {
    connection: Connection,
    address: String,
    patience: Duration,
}

/// The same Redis for a tool, with deadlines of seconds.
pub(crate) fn patient(config: RedisConfig) -> RedisConfig {
    let (read_timeout, write_timeout) = (config.read_timeout.max(PATIENCE), config.write_timeout.max(PATIENCE));
    RedisConfig { read_timeout, write_timeout, ..config }
}

impl RedisNodes {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If that fails, or takes seconds.
    pub(crate) async fn connect(config: &RedisConfig) -> Result<Self, Fault> {
        let config = patient(config.clone());
        config.prepare()?;
        let patience = config.read_timeout;
        let connection = timeout(patience, config.open()).await.map_err(|_| Fault::Timeout)??;
        Ok(Self { connection, address: config.connection.addr().to_string(), patience })
    }

    /// Sends a command to every node that holds keys.
    ///
    /// # Errors
    ///
    /// If a node does not answer, or with an error.
    pub(crate) async fn each<T: FromRedisValue>(&mut self, command: Cmd) -> Result<Vec<(Node, T)>, Fault> {
        if let Connection::Single(_) = self.connection {
            let answer = self.ask(command).await?;
            return Ok(vec![(Node { address: self.address.clone(), route: None }, answer)]);
        }
        let routing = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answers: Vec<(String, Value)> = convert(self.routed(command, routing).await?)?;
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
    /// If it does not answer, or with an error.
    pub(crate) async fn on<T: FromRedisValue>(&mut self, node: &Node, command: Cmd) -> Result<T, Fault> {
        let Some((host, port)) = node.route.clone() else { return self.ask(command).await };
        let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
        convert(self.routed(command, routing).await?)
    }

    /// Sends commands in one go, each to the node that holds its key.
    pub(crate) async fn all<T: FromRedisValue>(&self, commands: Vec<Cmd>) -> Vec<Result<T, Fault>> {
        let ask = async |command| self.ask(command).await;
        join_all(commands.into_iter().map(ask)).await
    }

    async fn ask<T: FromRedisValue>(&self, command: Cmd) -> Result<T, Fault> {
        let asking = async {
            match self.connection.clone() {
                Connection::Single(mut server) => command.query_async(&mut server).await,
                Connection::Cluster(mut cluster) => command.query_async(&mut cluster).await,
            }
        };
        timeout(self.patience, asking).await.map_err(|_| Fault::Timeout)?.map_err(Fault::from)
    }

    async fn routed(&self, command: Cmd, routing: RoutingInfo) -> Result<Value, Fault> {
        let answer = match self.connection.clone() {
            Connection::Cluster(mut cluster) => {
                timeout(self.patience, async move { cluster.route_command(command, routing).await }).await
            }
            Connection::Single(mut server) => {
                timeout(self.patience, async move { command.query_async(&mut server).await }).await
            }
        };
        answer.map_err(|_| Fault::Timeout)?.map_err(Fault::from)
    }
}

fn convert<T: FromRedisValue>(value: Value) -> Result<T, Fault> {
    let converted: RedisResult<T> = value.extract_error().and_then(|value| Ok(from_redis_value(value)?));
    converted.map_err(Fault::from)
}
