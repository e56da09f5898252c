//! What a process proves itself with: the secret as a key, and TLS on either side.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::error::LinkError;
use super::proof::Prover;
use super::secret::Secret;

/// The name in certificates, which nobody looks at.
const NAME: &str = "quarray";

/// The secret of a process, ready for use.
#[derive(Clone)]
pub struct Identity {
    secret: Secret,
    pub(super) prover: Prover,
    pub(super) acceptor: TlsAcceptor,
    pub(super) connector: TlsConnector,
    pub(super) name: ServerName<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Identity(…)")
    }
}

impl Identity {
    /// The identity of those who know a secret, with a certificate of this process.
    pub fn new(secret: &Secret) -> Result<Self, LinkError> {
        let wrong = |error: Error| LinkError::Encryption(error.to_string());
        let provider = Arc::new(ring::default_provider());
        let name = ServerName::try_from(NAME).map_err(|error| LinkError::Encryption(error.to_string()))?;
        Ok(Self {
            secret: secret.clone(),
            prover: Prover::new(secret),
            acceptor: TlsAcceptor::from(Arc::new(server(Arc::clone(&provider))?)),
            connector: TlsConnector::from(Arc::new(client(provider).map_err(wrong)?)),
            name,
        })
    }

    /// The secret itself, for a process that is to know it.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }
}

fn server(provider: Arc<CryptoProvider>) -> Result<ServerConfig, LinkError> {
    let certificate = rcgen::generate_simple_self_signed(vec![NAME.to_string()]);
    let certificate = certificate.map_err(|error| LinkError::Encryption(error.to_string()))?;
    let key = PrivateKeyDer::from(certificate.signing_key);
    let built = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate.cert.der().clone()], key));
    let mut config = built.map_err(|error| LinkError::Encryption(error.to_string()))?;
    // Every session is one of its own: nothing is resumed.
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(provider: Arc<CryptoProvider>) -> Result<ClientConfig, Error> {
    let verifier = AnyCertificate(provider.signature_verification_algorithms);
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Takes every certificate: who the other side is, its proof tells. That it has the certificate's key is looked at.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // It is not offered.
        Err(Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
