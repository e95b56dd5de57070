//! Opens connections to Redis: a single server or a cluster, plain or TLS, with a password or an IAM token.

use std::{fmt, time::Duration};

use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult,
    TlsCertificates,
    aio::MultiplexedConnection,
    cluster::{ClusterClient, ClusterConfig},
    cluster_async::ClusterConnection,
};

use super::iam::IamTokens;
use crate::Fault;

/// Address, authentication and deadlines.
#[derive(Clone)]
pub struct RedisConfig {
    /// Address, database and credentials. A TLS address makes a TLS connection.
    pub connection: ConnectionInfo,
    /// Whether the address belongs to a Redis Cluster.
    pub cluster: bool,
    /// The certificate authorities to trust, in PEM, in place of the bundled ones (Mozilla's).
    pub certificate_authorities: Option<Vec<u8>>,
    /// Signs ElastiCache IAM tokens, which replace the password.
    pub iam: Option<IamTokens>,
    /// Whether lookups and writes share a connection. Only for one request at a time: with more, a lookup would wait behind another
    /// request's write.
    pub shared_connection: bool,
    /// The time to live of an entry. Without one, a `volatile-*` eviction policy (the only kind of ElastiCache Serverless) could not
    /// evict it.
    pub ttl: Duration,
    /// The deadline of a lookup, connecting and retrying included.
    pub read_timeout: Duration,
    /// The deadline of a write, connecting and retrying included.
    pub write_timeout: Duration,
}

impl RedisConfig {
    /// A single server with the default settings: entries live for a week, a lookup may take 50 ms, a write 250 ms.
    pub fn new(connection: ConnectionInfo) -> Self {
        Self {
            connection,
            cluster: false,
            certificate_authorities: None,
            iam: None,
            shared_connection: false,
            ttl: Duration::from_secs(604_800),
            read_timeout: Duration::from_millis(50),
            write_timeout: Duration::from_millis(250),
        }
    }

    /// Prepares TLS, if it is used, and checks the certificate authorities.
    ///
    /// # Errors
    ///
    /// If the client does not support the address or the certificates.
    pub fn prepare(&self) -> Result<(), Fault> {
        if let ::redis::ConnectionAddr::TcpTls { .. } = self.connection.addr() {
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
        let info = self.connection.clone();
        if self.cluster {
            // The client has no timeout for nodes by default; the caller waits no longer than this.
            let limit = self.read_timeout.max(self.write_timeout);
            // The cluster client takes credentials and TLS from the address, but not the TCP settings.
            let tcp = info.tcp_settings().clone();
            let mut client =
                ClusterClient::builder([info]).tcp_settings(tcp).connection_timeout(limit).response_timeout(limit);
            if let Some(certificates) = self.certificates() {
                client = client.certs(certificates);
            }
            if let Some(iam) = &self.iam {
                client = client.set_credentials_provider(iam.clone());
            }
            let connection = client.build()?.get_async_connection_with_config(ClusterConfig::new()).await?;
            return Ok(Connection::Cluster(connection));
        }
        let mut config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        if let Some(iam) = &self.iam {
            config = config.set_credentials_provider(iam.clone());
        }
        Ok(Connection::Single(self.client(info)?.get_multiplexed_async_connection_with_config(&config).await?))
    }

    fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        match self.certificates() {
            Some(certificates) => Client::build_with_tls(info, certificates),
            None => Client::open(info),
        }
    }

    fn certificates(&self) -> Option<TlsCertificates> {
        let root_cert = self.certificate_authorities.clone()?;
        Some(TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connection,
            cluster,
            certificate_authorities: _,
            iam,
            shared_connection,
            ttl,
            read_timeout,
            write_timeout,
        } = self;
        f.debug_struct("RedisConfig")
            .field("address", &connection.addr().to_string())
            .field("cluster", cluster)
            .field("iam", &iam.is_some())
            .field("shared_connection", shared_connection)
            .field("ttl", ttl)
            .field("read_timeout", read_timeout)
            .field("write_timeout", write_timeout)
            .finish_non_exhaustive()
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
    pub(super) async fn run<T: FromRedisValue>(&mut self, command: &Command) -> RedisResult<T> {
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
        let code = error.code().unwrap_or_default().to_owned();
        match (error.kind(), code.as_str()) {
            (_, "WRONGTYPE") => Self::WrongType,
            (_, "NOAUTH" | "WRONGPASS") | (ErrorKind::AuthenticationFailed, _) => Self::Authentication,
            (ErrorKind::Server(_) | ErrorKind::Extension, _) => Self::Reply(code),
            _ if error.is_timeout() => Self::Timeout,
            // Network errors, and answers that are not valid Redis protocol.
            _ => Self::Connection(error.category().to_owned()),
        }
    }
}
