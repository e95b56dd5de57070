//! Opens connections to Redis: a single server or a cluster, plain or TLS, with a password, a certificate or an IAM token.

use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerError, Value,
    aio::MultiplexedConnection, cluster_async::ClusterConnection,
};

use super::{
    cluster::{self, KnownNodes},
    config::RedisConfig,
};
use crate::Fault;

/// How errors of connections begin that the other side has closed.
const CLOSED: [&str; 3] = ["Connection reset", "broken pipe", "unexpected end of file"];

impl RedisConfig {
    /// Prepares TLS, if it is used, and checks the certificates.
    ///
    /// # Errors
    ///
    /// If the client does not support the address or the certificates.
    pub fn prepare(&self) -> Result<(), Fault> {
        if !self.is_plain() {
            // ring: the alternative, aws-lc-rs, spends 10 to 50 ms on entropy in a process's first handshake. If a provider
            // is already installed, it is the same one.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        self.client(self.connection.clone())?;
        Ok(())
    }

    /// Opens a connection. The caller bounds the time that it takes.
    ///
    /// # Errors
    ///
    /// If the server refuses the connection or the greeting.
    pub async fn open(&self) -> Result<Connection, Fault> {
        self.open_with(&KnownNodes::default()).await
    }

    /// Opens a connection; to a cluster, by way of `known_nodes` if no node in the address answers.
    pub(super) async fn open_with(&self, known_nodes: &KnownNodes) -> Result<Connection, Fault> {
        let opened = if self.cluster {
            cluster::open(self, known_nodes).await.map(Connection::Cluster)
        } else {
            self.open_single().await.map(Connection::Single)
        };
        opened.map_err(|error| match error.into() {
            // A server that expects TLS takes the greeting for a broken handshake, and closes the connection.
            Fault::Connection(reason) if self.is_plain() && CLOSED.iter().any(|closed| reason.starts_with(closed)) => {
                Fault::Connection(format!("{reason}: does the port expect TLS?"))
            }
            fault => fault,
        })
    }

    async fn open_single(&self) -> RedisResult<MultiplexedConnection> {
        let mut config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        if let Some(iam) = &self.iam {
            config = config.set_credentials_provider(iam.clone());
        }
        let client = self.client(self.connection.clone())?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }
}

/// An open connection. Clones share it.
#[derive(Clone)]
pub enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// A command or a pipeline, sent in one write.
pub(super) enum Command {
    One(Cmd),
    Many(Pipeline),
}

impl Connection {
    /// Runs a command. The caller bounds the time that it takes.
    pub(super) async fn run(&mut self, command: &Command) -> RedisResult<Value> {
        match (self, command) {
            (Self::Single(connection), Command::One(command)) => command.query_async(connection).await,
            (Self::Single(connection), Command::Many(commands)) => commands.query_async(connection).await,
            (Self::Cluster(connection), Command::One(command)) => command.query_async(connection).await,
            (Self::Cluster(connection), Command::Many(commands)) => commands.query_async(connection).await,
        }
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        if let Some(reply) = reply(&error) {
            return match reply.code() {
                "WRONGTYPE" => Self::WrongType,
                "NOAUTH" | "WRONGPASS" => Self::Authentication,
                // Every Redis knows the commands of the cache, unless an operator has renamed them.
                "ERR" if reply.details().is_some_and(|text| text.starts_with("unknown command")) => {
                    Self::Reply("ERR (unknown command: is this the address of a Sentinel?)".to_owned())
                }
                code => Self::Reply(code.to_owned()),
            };
        }
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::Authentication,
            // A reply that the client has rephrased, such as that of a database that does not exist.
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Reply(error.code().unwrap_or_default().to_owned()),
            _ if error.is_timeout() => Self::Timeout(None),
            // The client's words could quote the answer.
            ErrorKind::Parse => Self::Connection("the answer is not in Redis's protocol".to_owned()),
            // The operating system's or the TLS library's words. A cluster's client wraps them in an error of its own.
            ErrorKind::Io => Self::Connection(error.detail().map_or_else(|| error.to_string(), str::to_owned)),
            _ => Self::Connection(error.category().to_owned()),
        }
    }
}

/// The error reply that led to an error. A refused command makes its transaction fail with `EXECABORT`; its own reply says why.
fn reply(error: &RedisError) -> Option<ServerError> {
    Some(error.clone().into_server_errors()?.first()?.1.clone())
}
