//! The certificates of a TLS connection: `REDIS_CA_FILE`, `REDIS_CERT_FILE`, `REDIS_KEY_FILE`, `AWS_CA_BUNDLE`.

use prediction_cache::redis::ClientCertificate;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::{Environment, SettingsError, error};

/// The authorities to trust, in PEM, and the certificate of this client.
pub(super) fn read<L>(
    env: &Environment<L>,
    tls: bool,
) -> Result<(Option<Vec<u8>>, Option<ClientCertificate>), SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let path = |variable: &'static str| match env.get(variable)? {
        Some(_) if !tls => Err(error(variable, "needs a REDIS_URL that starts with rediss://")),
        path => Ok(path),
    };
    let authorities = path("REDIS_CA_FILE")?.map(|path| authorities("REDIS_CA_FILE", &path)).transpose()?;
    let client = match (path("REDIS_CERT_FILE")?, path("REDIS_KEY_FILE")?) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(client_certificate(&certificate, &key)?),
        (Some(_), None) => return Err(error("REDIS_KEY_FILE", "must be set with REDIS_CERT_FILE")),
        (None, Some(_)) => return Err(error("REDIS_CERT_FILE", "must be set with REDIS_KEY_FILE")),
    };
    Ok((authorities, client))
}

/// The authorities in a file, in PEM, all of them valid.
pub(super) fn authorities(variable: &'static str, path: &str) -> Result<Vec<u8>, SettingsError> {
    let pem = bytes(variable, path)?;
    let mut authorities = RootCertStore::empty();
    for (position, certificate) in (1..).zip(certificates(variable, &pem)?) {
        let added = authorities.add(certificate);
        added.map_err(|reason| error(variable, format!("has an invalid certificate, number {position}: {reason}")))?;
    }
    Ok(pem)
}

fn client_certificate(certificate: &str, key: &str) -> Result<ClientCertificate, SettingsError> {
    let certificate = bytes("REDIS_CERT_FILE", certificate)?;
    let chain = certificates("REDIS_CERT_FILE", &certificate)?;
    let key = bytes("REDIS_KEY_FILE", key)?;
    let private_key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|reason| error("REDIS_KEY_FILE", format!("has no valid private key in PEM: {reason}")))?;
    CertifiedKey::from_der(chain, private_key, &rustls::crypto::ring::default_provider())
        .map_err(|reason| error("REDIS_KEY_FILE", format!("does not fit REDIS_CERT_FILE: {reason}")))?;
    Ok(ClientCertificate { certificate, key })
}

fn bytes(variable: &'static str, path: &str) -> Result<Vec<u8>, SettingsError> {
    std::fs::read(path).map_err(|reason| error(variable, format!("cannot be read: {reason}")))
}

/// At least one.
fn certificates(variable: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|reason| error(variable, format!("is not valid PEM: {reason}")))?;
    if certificates.is_empty() {
        return Err(error(variable, "must contain at least one certificate in PEM"));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::settings;

    #[test]
    fn a_malformed_ca_file_is_reported_under_its_variable() {
        let path = std::env::temp_dir().join(format!("predict-once-authorities-{}.pem", std::process::id()));
        let variables = [("REDIS_URL", "rediss://h"), ("REDIS_CA_FILE", path.to_str().expect("UTF-8"))];
        let pem = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        for (text, problem) in [
            (String::new(), "must contain at least one certificate in PEM"),
            (pem("AAAA").replace("CERTIFICATE", "PRIVATE KEY"), "must contain at least one certificate in PEM"),
            (pem("not base64!"), "is not valid PEM: "),
            (pem("AAAA").replace("-----END CERTIFICATE-----\n", ""), "is not valid PEM: "),
            (pem("AAAA"), "has an invalid certificate, number 1: "),
        ] {
            std::fs::write(&path, &text).expect("written");
            let found = settings(&variables).expect_err(&text);
            assert_eq!(found.variable, "REDIS_CA_FILE");
            assert!(found.problem.starts_with(problem), "{text}: {found}");
        }
        std::fs::remove_file(&path).expect("removed");
    }
}
