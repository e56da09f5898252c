//! TLS of both sides of a connection.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::error::SecurityError;

/// What is spoken inside.
const HTTP2: &[u8] = b"h2";

/// Where systems keep the certificates of authorities that everyone trusts.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// What a server proves itself with.
#[derive(Clone)]
pub struct ServerTls(pub(super) TlsAcceptor);

impl ServerTls {
    /// From a file with the certificate (and those between it and the authority), and one with its key, both PEM.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, SecurityError> {
        let chain = certificates(certificate)?;
        let wrong_key = |message: String| SecurityError::Certificate { path: key.display().to_string(), message };
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| wrong_key(format!("expected a private key in PEM form: {error}")))?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let built = builder.and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret));
        let mut config = built.map_err(|error| wrong_key(error.to_string()))?;
        config.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// Whom a client trusts.
#[derive(Clone)]
pub struct ClientTls(pub(super) TlsConnector);

impl ClientTls {
    /// The authorities of a file, or those of the system.
    pub fn read(authorities: Option<&Path>) -> Result<Self, SecurityError> {
        let path = match authorities {
            Some(path) => path.to_path_buf(),
            None => system_authorities().ok_or_else(|| SecurityError::Certificate {
                path: "the system's authorities".to_string(),
                message: "found none: expected --tls-ca FILE".to_string(),
            })?,
        };
        let mut roots = RootCertStore::empty();
        // Of the system's some may be of a kind that is not known here.
        let (added, _) = roots.add_parsable_certificates(certificates(&path)?);
        let wrong = |message: String| SecurityError::Certificate { path: path.display().to_string(), message };
        if added == 0 {
            return Err(wrong("expected the certificate of an authority, found none that can be used".to_string()));
        }
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let mut config =
            builder.map_err(|error| wrong(error.to_string()))?.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SecurityError> {
    let wrong = |message: String| SecurityError::Certificate { path: path.display().to_string(), message };
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| wrong(format!("expected certificates in PEM form: {error}")))?;
    match found.is_empty() {
        false => Ok(found),
        true => Err(wrong("expected a certificate in PEM form, found none".to_string())),
    }
}

fn system_authorities() -> Option<PathBuf> {
    let told = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    told.or_else(|| SYSTEM_AUTHORITIES.iter().map(PathBuf::from).find(|path| path.is_file()))
}

/// One by name: which is the usual one of the process depends on what else is in it.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerTls")
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientTls")
    }
}
