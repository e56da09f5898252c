//! Those who do not know the secret: they get nothing, and keep nobody else from being served.

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::greeting::{Answer, binding, send_answer, send_hello};
use super::super::limited::Limited;
use super::*;

const OTHER: &[u8] = b"another secret, which the attacker has";

/// What a client sends before its first byte for the service.
const HELLO_BYTES: usize = 41;

const REPLY_BYTES: usize = 33;

#[tokio::test]
async fn garbage() -> TestResult {
    let guarded = Guarded::start().await?;
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let long = vec![0x16; 1 << 20];
    // A record of TLS that announces a message of megabytes.
    let endless = [[0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff].as_slice(), &vec![0; 1 << 16]].concat();
    let all = [b"\n".to_vec(), vec![0; 4096], http2, long, endless];
    let count = all.len() as u64;
    for bytes in all {
        let (heard, took) = throw(guarded.address, &bytes).await?;
        // At most an alert of TLS.
        assert!(heard.len() < 64 && took < SOON, "{} bytes in {took:?}", heard.len());
    }
    guarded.has_refused(count).await?;
    assert_eq!(guarded.gate.counts().carried, 0);
    guarded.serves().await
}

/// A client of TLS that proves nothing: garbage, the proof of another secret, or silence.
#[tokio::test]
async fn without_the_secret() -> TestResult {
    let guarded = Guarded::start().await?;
    for hello in [vec![0; HELLO_BYTES], b"GET / HTTP/1.1\r\nHost: scheduler.example.org\r\n\r\n".to_vec()] {
        let mut stream = tls(guarded.address).await?;
        stream.write_all(&hello).await?;
        assert_eq!(answer(&mut stream).await?, [1].into_iter().chain([0; 32]).collect::<Vec<u8>>());
    }
    let mut stream = tls(guarded.address).await?;
    let bytes = binding(stream.get_ref().1)?;
    send_hello(&mut stream, &identity(OTHER)?.prover, Service::Data, &bytes).await?;
    assert_eq!(answer(&mut stream).await?.first(), Some(&1));
    guarded.has_refused(3).await?;
    let mut silent = tls(guarded.address).await?;
    let start = Instant::now();
    let mut heard = Vec::new();
    // However it ends.
    let _ = tokio::time::timeout(SOON, silent.read_to_end(&mut heard)).await?;
    assert!(heard.is_empty() && start.elapsed() > Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(guarded.gate.counts().carried, 0);
    guarded.serves().await
}

/// The proof of a client that knows the secret, recorded and sent once more.
#[tokio::test]
async fn a_replayed_proof() -> TestResult {
    let guarded = Guarded::start().await?;
    let mut stream = tls(guarded.address).await?;
    let prover = identity(SECRET)?.prover;
    let bytes = binding(stream.get_ref().1)?;
    let mut recorded = Vec::new();
    send_hello(&mut recorded, &prover, Service::Data, &bytes).await?;
    stream.write_all(&recorded).await?;
    assert_eq!(answer(&mut stream).await?.first(), Some(&0));
    // The same in another session.
    let mut stream = tls(guarded.address).await?;
    stream.write_all(&recorded).await?;
    assert_eq!(answer(&mut stream).await?.first(), Some(&1));
    guarded.has_refused(1).await?;
    assert_eq!(guarded.gate.counts().carried, 1);
    guarded.serves().await
}

/// Somebody in between, with a TLS session on either side, who passes everything on.
#[tokio::test]
async fn somebody_in_between() -> TestResult {
    let guarded = Guarded::start().await?;
    let between = TcpListener::bind("127.0.0.1:0").await?;
    let port = between.local_addr()?.port();
    let gate = guarded.address;
    tokio::spawn(async move {
        let own = identity(OTHER)?;
        while let Ok((stream, _)) = between.accept().await {
            let mut client = own.acceptor.accept(stream).await?;
            let mut server = tls(gate).await?;
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
        TestResult::Ok(())
    });
    let links = guarded.links(SECRET)?;
    let called = links.call(("127.0.0.1", port), Service::Data, Duration::ZERO).await;
    assert!(matches!(called, Err(LinkError::Refused { .. })), "{called:?}");
    guarded.has_refused(1).await?;
    assert_eq!(guarded.gate.counts().carried, 0);
    guarded.serves().await
}

/// Somebody who takes every proof: a client does not take him for a gate.
#[tokio::test]
async fn somebody_who_pretends() -> TestResult {
    let guarded = Guarded::start().await?;
    let links = guarded.links(SECRET)?;
    for pretence in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(async move {
            let own = identity(OTHER)?;
            let mut client = own.acceptor.accept(listener.accept().await?.0).await?;
            let mut hello = [0; HELLO_BYTES];
            client.read_exact(&mut hello).await?;
            let mark = [0; 1];
            match pretence {
                // A welcome without a proof, with the client's own proof, with that of another secret.
                0 => client.write_all(&[mark.as_slice(), &[0; 32]].concat()).await?,
                1 => client.write_all(&[mark.as_slice(), hello.get(9..).unwrap_or_default()].concat()).await?,
                _ => {
                    let bytes = binding(client.get_ref().1)?;
                    send_answer(&mut client, &own.prover, (Service::Data.number(), Answer::Welcome), &bytes).await?;
                }
            }
            client.flush().await?;
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await?;
            TestResult::Ok(())
        });
        let called = links.call(("127.0.0.1", port), Service::Data, Duration::ZERO).await;
        assert!(matches!(called, Err(LinkError::Unproven { .. })), "{pretence}: {called:?}");
    }
    Ok(())
}

/// A thousand connections that say nothing, from the very address of one who has something to say.
#[tokio::test]
async fn a_crowd_at_the_gate() -> TestResult {
    allow_files(4096);
    let guarded = Guarded::start().await?;
    let mut crowd = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(guarded.address).await?;
        if number % 2 == 0 {
            // Half of them begin to speak TLS.
            let _ = stream.write_all(&[0x16, 3, 1]).await;
        }
        crowd.push(stream);
    }
    guarded.serves().await?;
    assert!(guarded.gate.counts().waiting <= 128, "{:?}", guarded.gate.counts());
    guarded.has_refused(1000).await?;
    assert_eq!(guarded.gate.counts(), GateCounts { carried: 1, refused: 1000, waiting: 0 });
    drop(crowd);
    guarded.serves().await
}

/// Nobody may say more than a handshake before a proof.
#[tokio::test]
async fn a_limit_holds_until_it_is_lifted() -> TestResult {
    let (mut far, near) = tokio::io::duplex(1 << 16);
    let mut near = Limited::new(near, 100);
    far.write_all(&[1; 300]).await?;
    let mut heard = [0; 60];
    near.read_exact(&mut heard).await?;
    assert!(near.read_exact(&mut heard).await.is_err());
    near.lift();
    near.read_exact(&mut heard).await?;
    Ok(())
}

/// A connection of TLS to a gate, as anyone can make it.
async fn tls(address: SocketAddr) -> TestResult<tokio_rustls::client::TlsStream<TcpStream>> {
    let own = identity(OTHER)?;
    Ok(own.connector.connect(own.name.clone(), TcpStream::connect(address).await?).await?)
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> TestResult<Vec<u8>> {
    let mut reply = vec![0; REPLY_BYTES];
    stream.flush().await?;
    tokio::time::timeout(SOON, stream.read_exact(&mut reply)).await??;
    Ok(reply)
}

/// Both ends of the crowd are in this process.
fn allow_files(count: libc::rlim_t) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the system writes and reads one structure at the address it is given, which is that of a live local.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_cur.max(count.min(limit.rlim_max));
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
}
