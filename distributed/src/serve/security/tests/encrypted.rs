//! Encrypted connections: by an authority that is trusted, to the name that was meant, and by nothing less.

use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Bench, Ended, Fallible, Manners, run};
use crate::serve::security::{ClientTls, SecurityError, ServerTls};
use crate::serve::{LoginName, RemoteSession, ServerLogin};

/// An authority and the certificate of a server of that name, as files.
struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    fn new(name: &str) -> Fallible<Self> {
        let folder = tempfile::tempdir()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![name.to_string()])?.signed_by(&key, &authority)?;
        std::fs::write(folder.path().join("ca.pem"), authority.pem())?;
        std::fs::write(folder.path().join("cert.pem"), certificate.pem())?;
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem())?;
        Ok(Self { folder })
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn server(&self) -> Result<ServerTls, SecurityError> {
        ServerTls::read(&self.file("cert.pem"), &self.file("key.pem"))
    }

    fn client(&self) -> Result<ClientTls, SecurityError> {
        ClientTls::read(Some(&self.file("ca.pem")))
    }
}

fn login(bench: &Bench, host: &str, tls: Option<ClientTls>) -> ServerLogin {
    let credentials = Some(LoginName { name: "ada".to_string(), password: "ada's".to_string() });
    ServerLogin { address: format!("{host}:{}", bench.server.address().port()), tls, credentials }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_server_is_spoken_to() -> Ended {
    for name in ["127.0.0.1", "localhost"] {
        let authority = Authority::new(name)?;
        let bench = Bench::start(Manners { tls: Some(authority.server()?), ..Manners::default() }).await?;
        let session = RemoteSession::connect_as(login(&bench, name, Some(authority.client()?))).await?;
        assert_eq!(run(&session, "SELECT * FROM range(100000)").await?, 100_000);
        session.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_less_will_do() -> Ended {
    let (authority, stranger) = (Authority::new("127.0.0.1")?, Authority::new("127.0.0.1")?);
    let bench = Bench::start(Manners { tls: Some(authority.server()?), ..Manners::default() }).await?;
    for (case, host, tls) in [
        ("an authority of someone else", "127.0.0.1", Some(stranger.client()?)),
        ("another name", "localhost", Some(authority.client()?)),
        ("no encryption", "127.0.0.1", None),
    ] {
        let Err(error) = RemoteSession::connect_as(login(&bench, host, tls)).await else {
            return Err(format!("{case}: it is allowed").into());
        };
        assert!(!error.to_string().contains("ada's"), "{case}: {error}");
    }
    // A server without TLS is no server for a client that wants it.
    let plain = Bench::start(Manners::default()).await?;
    assert!(RemoteSession::connect_as(login(&plain, "127.0.0.1", Some(authority.client()?))).await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_holds_nobody_up() -> Ended {
    let authority = Authority::new("127.0.0.1")?;
    let bench = Bench::start(Manners { tls: Some(authority.server()?), ..Manners::default() }).await?;
    let mut silent = Vec::new();
    for _ in 0..32 {
        silent.push(TcpStream::connect(bench.address()).await?);
    }
    let mut garbage = TcpStream::connect(bench.address()).await?;
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
    let connect = RemoteSession::connect_as(login(&bench, "127.0.0.1", Some(authority.client()?)));
    let session = tokio::time::timeout(Duration::from_secs(5), connect).await??;
    assert_eq!(run(&session, "SELECT 1 AS n").await?, 1);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), garbage.read_to_end(&mut rest)).await?;
    assert!(ended.is_err() || rest.len() < 100, "a stranger is talked to: {rest:?}");
    Ok(())
}

#[test]
fn files_that_are_no_certificates_are_named() -> Ended {
    let (authority, other) = (Authority::new("a.example")?, Authority::new("b.example")?);
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "")?;
    let none = Path::new("no-such.pem");
    let wrong = [
        ServerTls::read(none, &authority.file("key.pem")).err(),
        ServerTls::read(&empty, &authority.file("key.pem")).err(),
        ServerTls::read(&authority.file("cert.pem"), none).err(),
        ServerTls::read(&authority.file("cert.pem"), &authority.file("cert.pem")).err(),
        ServerTls::read(&authority.file("cert.pem"), &other.file("key.pem")).err(),
        ClientTls::read(Some(none)).err(),
        ClientTls::read(Some(&empty)).err(),
    ];
    for (number, error) in wrong.into_iter().enumerate() {
        let Some(SecurityError::Certificate { path, message }) = error else {
            return Err(format!("number {number} is accepted").into());
        };
        assert!(path.ends_with(".pem") && !message.contains("PRIVATE KEY"), "{path}: {message}");
    }
    Ok(())
}
