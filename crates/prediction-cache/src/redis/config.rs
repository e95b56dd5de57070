//! Where Redis is, how the service identifies itself, and how long it waits.

use std::{fmt, time::Duration};

use ::redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, RedisResult, TlsCertificates};

use super::iam::IamTokens;

/// The shortest connect timeout (name resolution, TCP, TLS, authentication); raised to the longest command timeout. Connecting continues
/// after a waiting command has timed out, so it never delays one.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// The stages in which a cluster is opened, each within a connect timeout: the nodes in the address, the nodes that were known last, the
/// nodes that the cluster lists.
const CLUSTER_STAGES: u32 = 3;

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

    pub(super) fn is_plain(&self) -> bool {
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

    pub(super) fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
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
