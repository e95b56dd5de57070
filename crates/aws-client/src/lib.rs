//! Requests to AWS's services: signed with Signature Version 4, over HTTP/1.1 connections that are kept open.
//!
//! It knows nothing of the services: `prediction-cache` speaks to DynamoDB with it. A full SDK would bring retries, which do not fit into
//! a lookup's deadline, and a megabyte of code.

mod connection;
mod signature;

use std::{fmt, sync::Arc, time::Duration};

use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, Uri, uri::Scheme};
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, oneshot},
    time::{Instant, timeout, timeout_at},
};

use self::connection::{Connection, Connector};

/// The limit of open connections of a client. A connection carries one request at a time.
const MAX_CONNECTIONS: usize = 64;

/// The shortest time in which a connection must be open (name resolution, TCP, TLS); raised to the longest timeout of a request.
/// Connecting continues after the request that waits for it has timed out.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// A service, and who asks it.
#[derive(Clone)]
pub struct Service {
    /// The service's name in signatures: `dynamodb`.
    pub name: &'static str,
    pub region: String,
    pub endpoint: Endpoint,
    /// The certificate authorities to trust, in PEM, in place of the bundled ones (Mozilla's).
    pub certificate_authorities: Option<Vec<u8>>,
    pub credentials: SharedCredentialsProvider,
}

/// The address of a service: `https://dynamodb.eu-central-1.amazonaws.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    is_tls: bool,
    host: String,
    port: u16,
    /// The host, and the port unless it is the scheme's default.
    authority: String,
}

impl Endpoint {
    pub const ALLOWED: &'static str = "must be http:// or https:// with a host, and a port if it is not the default";

    /// AWS's own address of a service in a region.
    pub fn of(service: &str, region: &str) -> Option<Self> {
        let china = if region.starts_with("cn-") { ".cn" } else { "" };
        Self::parse(&format!("https://{service}.{region}.amazonaws.com{china}"))
    }

    /// `None` unless [`Self::ALLOWED`].
    pub fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let is_tls = *uri.scheme()? == Scheme::HTTPS;
        let has_more = !matches!(uri.path(), "" | "/") || uri.query().is_some();
        if has_more || !(is_tls || *uri.scheme()? == Scheme::HTTP) || uri.authority()?.as_str().contains('@') {
            return None;
        }
        let default = if is_tls { 443 } else { 80 };
        // A URI has an IPv6 address in brackets.
        let bracketed = uri.host().filter(|host| !host.is_empty())?;
        let has_port = uri.authority()?.as_str() != bracketed;
        let port = if has_port { uri.port_u16()? } else { default };
        let authority = if port == default { bracketed.to_owned() } else { format!("{bracketed}:{port}") };
        let host = bracketed.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { is_tls, host, port, authority })
    }

    /// The URL of a path, which begins with `/`.
    fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", if self.is_tls { "https" } else { "http" }, self.authority)
    }
}

/// A request without the headers that every request has.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a Method,
    /// Percent-encoded, and begins with `/`.
    pub path: &'a str,
    pub headers: &'a [(HeaderName, HeaderValue)],
    pub body: &'a Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no answer in time")]
    Timeout,
    /// The connection is still being opened, or was opened too late for an answer.
    #[error("no connection in time")]
    Connecting,
    /// All connections are in use.
    #[error("too many requests in flight")]
    Busy,
    #[error("connection lost or refused ({0})")]
    Connection(String),
    /// There are no credentials, or they cannot sign.
    #[error("{0}")]
    Credentials(String),
}

/// Called with the result of each attempt to open a connection, and its beginning.
type OnOpening = Arc<dyn Fn(Instant, Result<(), &Error>) + Send + Sync>;

/// A client of one service, for one thread, because a connection belongs to the runtime that opened it.
pub struct Client {
    service: Arc<Service>,
    connector: Arc<Connector>,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Semaphore,
    on_opening: OnOpening,
}

impl Client {
    /// Opens no connection yet. `on_opening` is called with the result of each attempt, and its beginning.
    ///
    /// # Errors
    ///
    /// If a certificate authority is invalid.
    pub fn new(
        service: Arc<Service>,
        on_opening: impl Fn(Instant, Result<(), &Error>) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let connector = Connector::new(&service.endpoint, service.certificate_authorities.as_deref())?;
        Ok(Self::with(service, Arc::new(connector), Arc::new(on_opening)))
    }

    /// A client with its own connections, and a permit for each.
    pub fn for_another_thread(&self, on_opening: impl Fn(Instant, Result<(), &Error>) + Send + Sync + 'static) -> Self {
        Self::with(Arc::clone(&self.service), Arc::clone(&self.connector), Arc::new(on_opening))
    }

    fn with(service: Arc<Service>, connector: Arc<Connector>, on_opening: OnOpening) -> Self {
        Self { service, connector, idle: Arc::default(), permits: Semaphore::new(MAX_CONNECTIONS), on_opening }
    }

    /// Opens a connection ahead of the first request, and waits for it at most `limit`.
    pub async fn open_ahead(&self, limit: Duration) {
        if let Ok(connection) = self.connect(Instant::now() + limit, limit).await {
            self.idle.lock().push(connection);
        }
    }

    /// Sends a request that may be repeated, and waits for the whole answer, of at most `max_bytes`. The deadline includes connecting and
    /// one retry.
    ///
    /// A connection can have died in an environment that was frozen. A kept one therefore gets two fifths of the time to answer before the
    /// request is sent again on a new one.
    ///
    /// # Errors
    ///
    /// If there is no answer by the deadline. An answer with an error status is an answer.
    pub async fn send(
        &self,
        request: Request<'_>,
        deadline: Instant,
        max_bytes: usize,
    ) -> Result<Response<Bytes>, Error> {
        let limit = deadline.saturating_duration_since(Instant::now());
        let permit = timeout_at(deadline, self.permits.acquire()).await;
        let _permit = permit.map_err(|_| Error::Busy)?.expect("the semaphore is never closed");
        let signed = signature::signed(&self.service, request).await?;
        if let Some(kept) = self.kept() {
            let early = deadline.min(Instant::now() + limit * 2 / 5);
            match self.exchange(kept, signed.clone(), early, max_bytes).await {
                // The others may have died with it.
                Err(Error::Timeout | Error::Connection(_)) => self.close(),
                answer => return answer,
            }
        }
        let connection = self.connect(deadline, limit).await?;
        if deadline < Instant::now() + limit * 2 / 5 {
            // Too late for an answer: the next request has the connection, which would end with this one.
            self.idle.lock().push(connection);
            return Err(Error::Connecting);
        }
        self.exchange(connection, signed, deadline, max_bytes).await
    }

    /// Closes the connections that are not in use. A later request opens others.
    pub fn close(&self) {
        self.idle.lock().clear();
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        std::iter::from_fn(|| idle.pop()).find(Connection::is_open)
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        request: connection::Request,
        deadline: Instant,
        max_bytes: usize,
    ) -> Result<Response<Bytes>, Error> {
        let exchanged = timeout_at(deadline, connection.exchange(request, max_bytes)).await;
        let answer = exchanged.map_err(|_| Error::Timeout)??;
        self.idle.lock().push(connection);
        Ok(answer)
    }

    /// A new connection. If it opens after the deadline, it is kept for another request.
    async fn connect(&self, deadline: Instant, limit: Duration) -> Result<Connection, Error> {
        let (sender, opened) = oneshot::channel();
        let (connector, idle) = (Arc::clone(&self.connector), Arc::clone(&self.idle));
        let on_opening = Arc::clone(&self.on_opening);
        let began = Instant::now();
        tokio::spawn(async move {
            let limit = CONNECT_TIMEOUT.max(limit);
            let late = || Err(Error::Connection(format!("not open after {} ms", limit.as_millis())));
            let opened = timeout(limit, connector.open()).await.unwrap_or_else(|_| late());
            on_opening(began, opened.as_ref().map(drop));
            if let Err(Ok(unclaimed)) = sender.send(opened) {
                idle.lock().push(unclaimed);
            }
        });
        let opened = timeout_at(deadline, opened).await.map_err(|_| Error::Connecting)?;
        opened.unwrap_or_else(|_| Err(Error::Connection("the runtime ends".to_owned())))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, region, endpoint, certificate_authorities: _, credentials: _ } = self;
        f.debug_struct("Service")
            .field("name", name)
            .field("region", region)
            .field("endpoint", &endpoint.url(""))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        let endpoint = Endpoint::of("dynamodb", "eu-central-1").expect("valid");
        assert_eq!(endpoint.url("/"), "https://dynamodb.eu-central-1.amazonaws.com/");
        let chinese = Endpoint::of("dynamodb", "cn-north-1").expect("valid");
        assert_eq!(chinese.url(""), "https://dynamodb.cn-north-1.amazonaws.com.cn");
        for (url, host, port, authority) in [
            ("http://localhost:4566/", "localhost", 4566, "localhost:4566"),
            ("http://localhost:80", "localhost", 80, "localhost"),
            ("https://[::1]:8000", "::1", 8000, "[::1]:8000"),
        ] {
            let endpoint = Endpoint::parse(url).expect(url);
            assert_eq!((&*endpoint.host, endpoint.port, &*endpoint.authority), (host, port, authority));
        }
        for url in ["", "localhost", "ftp://h", "http://h/path", "http://h/?a=b", "http://user@h", "http://h:port"] {
            assert_eq!(Endpoint::parse(url), None, "{url}");
        }
    }
}
