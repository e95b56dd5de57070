//! Opens connections to Redis: a single server or a cluster, plain or TLS, with a password, a certificate or an IAM token.

use std::{fmt, time::Duration};

use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, Pipeline,
    RedisError, RedisResult, ServerError, TlsCertificates, Value, aio::MultiplexedConnection,
    cluster_async::ClusterConnection,
};

use super::{
    cluster::{self, KnownNodes},
    iam::IamTokens,
};
use crate::Fault;

/// The shortest connect timeout (name resolution, TCP, TLS, authentication); raised to the longest command timeout. Connecting continues
/// after a waiting command has timed out, so it never delays one.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// The stages in which a cluster is opened, each within a connect timeout: the nodes in the address, the nodes that were known last, the
/// nodes that the cluster lists.
const CLUSTER_STAGES: u32 = 3;

/// How errors of connections begin that the other side has closed.
const CLOSED: [&str; 3] = ["Connection reset", "broken pipe", "unexpected end of file"];

/// Address, authentication and deadlines.
#[derive(Clone)]
pub struct RedisConfig {
    /// Address, database and credentials. A TLS address makes a TLS connection.
    pub connection: ConnectionInfo,
    /// Whether the address belongs to a Redis Cluster.
    pub cluster: bool,
    /// Further nodes of the cluster, any of which leads to the others. Same credentials and TLS as `connection`.
    pub other_nodes: Vec<ConnectionInfo>,
    /// The certificate authorities to trust, in PEM, in place of the bundled ones (Mozilla's).
    pub certificate_authorities: Option<Vec<u8>>,
    /// The certificate that identifies this client, if the server demands one.
    pub client_certificate: Option<ClientCertificate>,
    /// Signs ElastiCache IAM tokens, which replace the password.
    pub iam: Option<IamTokens>,
    /// Whether lookups and writes share a connection. Only for one request at a time: with more, a lookup would wait behind another
    /// request's write.
    pub shared_connection: bool,
    /// How long a connection is used before another replaces it, which resolves the name again. The actual time is up to a fifth shorter.
    pub max_age: Duration,
    /// The time to live of an entry. Without one, a `volatile-*` eviction policy (the only kind of ElastiCache Serverless) could not
    /// evict it.
    pub ttl: Duration,
    /// The deadline of a lookup, connecting and retrying included.
    pub read_timeout: Duration,
    /// The deadline of a write, connecting and retrying included.
    pub write_timeout: Duration,
}

/// A certificate with its chain, and its private key, in PEM.
#[derive(Clone)]
pub struct ClientCertificate {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

impl RedisConfig {
    /// A single server with the default settings: entries live for a week, a lookup may take 50 ms, a write 250 ms, and a connection is
    /// used for five minutes.
    pub fn new(connection: ConnectionInfo) -> Self {
        Self {
            connection,
            cluster: false,
            other_nodes: Vec::new(),
            certificate_authorities: None,
            client_certificate: None,
            iam: None,
            shared_connection: false,
            max_age: Duration::from_secs(300),
            ttl: Duration::from_secs(604_800),
            read_timeout: Duration::from_millis(50),
            write_timeout: Duration::from_millis(250),
        }
    }

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

    fn is_plain(&self) -> bool {
        !matches!(self.connection.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// The time in which one server must accept a connection.
    pub(super) fn connect_timeout(&self) -> Duration {
        CONNECT_TIMEOUT.max(self.read_timeout).max(self.write_timeout)
    }

    /// The time in which a connection must be open: that of one server, or of each stage of a cluster.
    pub(super) fn opening_limit(&self) -> Duration {
        self.connect_timeout() * if self.cluster { CLUSTER_STAGES } else { 1 }
    }

    fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        match self.certificates() {
            Some(certificates) => Client::build_with_tls(info, certificates),
            None => Client::open(info),
        }
    }

    pub(super) fn certificates(&self) -> Option<TlsCertificates> {
        let root_cert = self.certificate_authorities.clone();
        let client_tls = self.client_certificate.clone();
        let client_tls = client_tls.map(|ClientCertificate { certificate, key }| ClientTlsConfig {
            client_cert: certificate,
            client_key: key,
        });
        (root_cert.is_some() || client_tls.is_some()).then_some(TlsCertificates { client_tls, root_cert })
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connection,
            cluster,
            other_nodes,
            certificate_authorities: _,
            client_certificate,
            iam,
            shared_connection,
            max_age,
            ttl,
            read_timeout,
            write_timeout,
        } = self;
        let others: Vec<_> = other_nodes.iter().map(|node| node.addr().to_string()).collect();
        f.debug_struct("RedisConfig")
            .field("address", &connection.addr().to_string())
            .field("cluster", cluster)
            .field("other_nodes", &others)
            .field("client_certificate", &client_certificate.is_some())
            .field("iam", &iam.is_some())
            .field("shared_connection", shared_connection)
            .field("max_age", max_age)
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
