//! A connection to a service: opened with or without TLS, for one request at a time.

use std::{error::Error as _, io, sync::Arc};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{Endpoint, Error};

pub(crate) type Request = http::Request<Full<Bytes>>;

/// Opens connections.
pub(crate) struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// An open connection. Dropping it closes it.
pub(crate) struct Connection(http1::SendRequest<Full<Bytes>>);

impl Connector {
    /// `authorities` replaces Mozilla's.
    pub(crate) fn new(endpoint: &Endpoint, authorities: Option<&[u8]>) -> Result<Self, Error> {
        let invalid = |error: &dyn std::fmt::Display| Error::Connection(error.to_string());
        let tls = if endpoint.is_tls {
            let mut roots = RootCertStore::empty();
            match authorities {
                None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
                Some(pem) => {
                    for certificate in CertificateDer::pem_slice_iter(pem) {
                        roots.add(certificate.map_err(|error| invalid(&error))?).map_err(|error| invalid(&error))?;
                    }
                }
            }
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| invalid(&error))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| invalid(&error))?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        Ok(Self { host: endpoint.host.clone(), port: endpoint.port, tls })
    }

    /// The caller bounds the time that it takes.
    pub(crate) async fn open(&self) -> Result<Connection, Error> {
        let refused = |error: io::Error| Error::Connection(error.to_string());
        let stream = TcpStream::connect((&*self.host, self.port)).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        match &self.tls {
            None => speak_http(stream).await,
            Some((tls, name)) => speak_http(tls.connect(name.clone(), stream).await.map_err(refused)?).await,
        }
    }
}

async fn speak_http(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Connection, Error> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    // Ends with the sender, or when the other side closes. Its error is that of the request.
    tokio::spawn(async move { drop(connection.await) });
    Ok(Connection(sender))
}

impl Connection {
    /// Whether the other side has not closed it, as far as this one knows.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }

    /// Sends a request and reads its whole answer. After an error, or if it is cancelled, the connection must be dropped.
    pub(crate) async fn exchange(&mut self, request: Request, max_bytes: usize) -> Result<Response<Bytes>, Error> {
        // The other side may have closed it.
        self.0.ready().await.map_err(lost)?;
        let (parts, body) = self.0.send_request(request).await.map_err(lost)?.into_parts();
        let body = Limited::new(body, max_bytes).collect().await;
        let body = body.map_err(|error| Error::Connection(format!("the answer is cut off: {error}")))?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

/// The innermost reason, which is the operating system's or the TLS library's if there is one.
fn lost(error: hyper::Error) -> Error {
    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Error::Connection(reason)
}
