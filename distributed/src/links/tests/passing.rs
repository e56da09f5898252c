//! What goes through a gate, and what is told of what does not.

use super::*;
use tonic::transport::Endpoint;

#[tokio::test]
async fn bytes_come_through_as_they_are() -> TestResult {
    let guarded = Guarded::start().await?;
    let links = guarded.links(SECRET)?;
    let socket = guarded.socket(&links)?;
    let words: Vec<u8> = (0..3_000_000u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let several = (0..8).map(|number| said_back(&socket, words.get(number * 1000..).unwrap_or_default()));
    for said in futures::future::join_all(several).await {
        said?;
    }
    assert_eq!(guarded.gate.counts(), GateCounts { carried: 8, refused: 0, waiting: 0 });
    Ok(())
}

/// The sockets are for nobody else, and gone with their process.
#[tokio::test]
async fn sockets_are_in_a_directory_of_ones_own() -> TestResult {
    use std::os::unix::fs::PermissionsExt;
    let guarded = Guarded::start().await?;
    let links = guarded.links(SECRET)?;
    let socket = guarded.socket(&links)?;
    assert_eq!(socket, guarded.socket(&links)?);
    let directory = socket.parent().ok_or("no directory")?;
    assert_eq!(directory.metadata()?.permissions().mode() & 0o777, 0o700);
    drop(links);
    assert!(!directory.exists());
    Ok(())
}

#[tokio::test]
async fn a_long_path_is_passed_over() -> TestResult {
    let directory = TempDir::new()?;
    let long = directory.path().join("a".repeat(120));
    std::fs::create_dir(&long)?;
    let links = Links::new(&identity(SECRET)?, &long)?;
    let socket = links.socket(Target { host: "192.0.2.1".to_string(), port: 1, service: Service::Tasks })?;
    assert!(!socket.starts_with(&long), "{socket:?}");
    Ok(())
}

#[tokio::test]
async fn an_address_becomes_a_socket() -> TestResult {
    let guarded = Guarded::start().await?;
    let links = guarded.links(SECRET)?;
    let url = format!("http://{}", guarded.address);
    let exchanged = links.to_data().configure_endpoint(Endpoint::from_shared(url.clone())?)?;
    assert_ne!(exchanged.uri().to_string(), format!("{url}/"));
    // The connection is made, though no server of HTTP answers.
    exchanged.connect().await?;
    // An address of the other kind is one way, however it is written.
    let (one, other) = (links.to_data(), links.to_data());
    let endpoint = || Endpoint::from_static("http://[::1]:7");
    one.configure_endpoint(endpoint())?;
    other.configure_endpoint(endpoint())?;
    let target = Target { host: "::1".to_string(), port: 7, service: Service::Data };
    links.socket(target)?;
    assert_eq!(std::fs::read_dir(guarded.socket(&links)?.parent().ok_or("no directory")?)?.count(), 2);
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_is_told_at_once() -> TestResult {
    let guarded = Guarded::start().await?;
    let start = Instant::now();
    let refused = guarded.call(b"fedcba9876543210fedcba9876543210", Service::Data).await?;
    let message = refused.as_ref().err().map(ToString::to_string).unwrap_or_default();
    assert!(matches!(refused, Err(LinkError::Refused { .. })), "{message}");
    let address = guarded.address;
    assert_eq!(
        message,
        format!("{address} has refused the secret of the cluster: expected the one that it was started with")
    );
    assert!(start.elapsed() < SOON);
    // A connection that is made later ends, and the reason is kept.
    let links = guarded.links(b"fedcba9876543210fedcba9876543210")?;
    let socket = guarded.socket(&links)?;
    assert!(said_back(&socket, b"let me in").await.is_err());
    assert_eq!(links.failure(&address.ip().to_string(), address.port()), Some(message));
    guarded.serves().await
}

#[tokio::test]
async fn what_is_not_there_is_told() -> TestResult {
    let guarded = Guarded::start().await?;
    let other = guarded.call(SECRET, Service::Scheduler).await?;
    assert!(matches!(other, Err(LinkError::NotHere { service: "a scheduler", .. })), "{other:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let silent = Guarded::before(nobody).await?;
    let unavailable = silent.call(SECRET, Service::Data).await?;
    assert!(matches!(unavailable, Err(LinkError::Unavailable { .. })), "{unavailable:?}");
    drop(silent.gate);
    let links = guarded.links(SECRET)?;
    let host = silent.address.ip().to_string();
    let call = async || links.call((&host, silent.address.port()), Service::Data, Duration::ZERO).await;
    // The doors close a moment after the gate.
    let start = Instant::now();
    let mut gone = call().await;
    while !matches!(gone, Err(LinkError::Unreachable { .. })) && start.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(10)).await;
        gone = call().await;
    }
    assert!(matches!(gone, Err(LinkError::Unreachable { .. })), "{gone:?}");
    Ok(())
}

/// Something that listens and is no gate: without TLS, or without a word.
#[tokio::test]
async fn something_else_is_told() -> TestResult {
    let guarded = Guarded::start().await?;
    let other = TcpListener::bind("127.0.0.1:0").await?;
    let port = other.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            let _ = stream.write_all(b"220 mail.example.org ready\r\n").await;
        }
    });
    let links = guarded.links(SECRET)?;
    let foreign = links.call(("127.0.0.1", port), Service::Data, Duration::ZERO).await;
    assert!(matches!(foreign, Err(LinkError::Foreign { .. })), "{foreign:?}");
    let mute = TcpListener::bind("127.0.0.1:0").await?;
    let start = Instant::now();
    let silent = links.call(("127.0.0.1", mute.local_addr()?.port()), Service::Data, Duration::ZERO).await;
    assert!(matches!(silent, Err(LinkError::Silent { .. })), "{silent:?}");
    assert!(start.elapsed() < SOON);
    Ok(())
}
