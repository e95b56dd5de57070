//! Opens connections to a Redis Cluster, by way of the nodes in the address or of those that were known last.
//!
//! The client (redis 1.8) also connects to each replica that the cluster lists, and waits for all of them, although it never reads from
//! one here. A replica that cannot be reached (the reader port of ElastiCache Serverless, which a security group may not open) would cost
//! every opening its whole time. The client reports the cluster's nodes before it connects to them, so the resolver of their names can
//! refuse the replicas.

use std::{collections::HashSet, io, net::SocketAddr, sync::Arc};

use ::redis::{
    ConnectionAddr, ConnectionInfo, RedisError, RedisFuture, RedisResult,
    cluster::{ClusterClient, NodeAddress},
    cluster_async::ClusterConnection,
    cluster_read_routing::{ClusterTopology, ReadCandidates, ReadRoutingStrategy, ReadRoutingStrategyFactory},
    io::AsyncDNSResolver,
};
use parking_lot::Mutex;

use super::config::RedisConfig;

/// How often the client repeats a command within the command's deadline, and the bounds of its pauses in milliseconds.
const RETRIES: u32 = 4;
const SHORTEST_PAUSE: u64 = 1;
const LONGEST_PAUSE: u64 = 50;

/// The nodes that a cluster listed last, primaries and replicas, shared by the connections of a process. They lead to the cluster when the
/// nodes in the address are down.
#[derive(Clone, Default)]
pub(super) struct KnownNodes(Arc<Mutex<HashSet<NodeAddress>>>);

/// The replicas that a connection has learnt of.
#[derive(Clone)]
struct Nodes {
    known: KnownNodes,
    replicas: Arc<Mutex<HashSet<NodeAddress>>>,
}

/// Opens a connection by way of the nodes in the address. If none answers, by way of the nodes that were known last.
pub(super) async fn open(config: &RedisConfig, known: &KnownNodes) -> RedisResult<ClusterConnection> {
    let seeds: Vec<_> = std::iter::once(&config.connection).chain(&config.other_nodes).cloned().collect();
    match open_by(config, seeds, known).await {
        Err(error) => {
            let nodes: Vec<_> = known.0.lock().iter().map(|node| at(&config.connection, node)).collect();
            if nodes.is_empty() { Err(error) } else { open_by(config, nodes, known).await }
        }
        opened => opened,
    }
}

async fn open_by(
    config: &RedisConfig,
    seeds: Vec<ConnectionInfo>,
    known: &KnownNodes,
) -> RedisResult<ClusterConnection> {
    let nodes = Nodes { known: known.clone(), replicas: Arc::default() };
    let limit = config.connect_timeout();
    // The client takes credentials and TLS from the address, but not the TCP settings.
    let mut client = ClusterClient::builder(seeds)
        .tcp_settings(config.connection.tcp_settings().clone())
        .connection_timeout(limit)
        .response_timeout(limit)
        .retries(RETRIES)
        .min_retry_wait(SHORTEST_PAUSE)
        .max_retry_wait(LONGEST_PAUSE)
        .read_routing_strategy(nodes.clone())
        .async_dns_resolver(nodes);
    if let Some(certificates) = config.certificates() {
        client = client.certs(certificates);
    }
    if let Some(iam) = &config.iam {
        client = client.set_credentials_provider(iam.clone());
    }
    client.build()?.get_async_connection().await
}

/// The address of another node, with the same credentials and TLS.
fn at(first: &ConnectionInfo, node: &NodeAddress) -> ConnectionInfo {
    let (host, port) = (node.host().to_owned(), node.port());
    first.clone().set_addr(match first.addr().clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host, port),
    })
}

impl ReadRoutingStrategyFactory for Nodes {
    fn create_strategy(&self) -> Box<dyn ReadRoutingStrategy> {
        Box::new(self.clone())
    }
}

impl ReadRoutingStrategy for Nodes {
    fn on_topology_changed(&self, topology: ClusterTopology) {
        let shards = || topology.shards();
        let replicas: HashSet<_> = shards().flat_map(|shard| shard.replicas()).cloned().collect();
        *self.known.0.lock() = shards().map(|shard| shard.primary()).chain(&replicas).cloned().collect();
        *self.replicas.lock() = replicas;
    }

    fn route_read<'a>(&self, candidates: &ReadCandidates<'a>) -> &'a NodeAddress {
        match candidates {
            ReadCandidates::AnyNode(nodes) => nodes.primary(),
            ReadCandidates::ReplicasOnly(nodes) => nodes.replicas().first(),
        }
    }
}

impl AsyncDNSResolver for Nodes {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            if self.replicas.lock().contains(&NodeAddress::new(host, port)) {
                return Err(RedisError::from(io::Error::new(io::ErrorKind::NotFound, "a replica, which is not used")));
            }
            let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}
