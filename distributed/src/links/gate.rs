//! The only thing of a process that others can reach: it lets those in who know the secret.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;

use super::greeting::{Answer, Hello, binding, read_hello, send_answer};
use super::identity::Identity;
use super::limited::Limited;
use super::proof::Service;
use super::sockets::prepare;
use super::waiting::WaitingRoom;

/// Who has proved nothing after this is sent away.
const PATIENCE: Duration = Duration::from_secs(3);

/// Bytes that somebody may send before a proof; a handshake has about one thousand.
const UNPROVEN_BYTES_MAX: usize = 16 << 10;

/// Connections without a proof that wait at once.
const WAITING_MAX: usize = 128;

/// After a refusal this much more is read, so that the other side hears of it before the end.
const FAREWELL: Duration = Duration::from_millis(200);

/// Bytes on their way in each direction of a connection.
pub(super) const BUFFER_BYTES: usize = 64 << 10;

/// Accepting fails when there are too many files; this is how long it waits for better times.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A service, and where others reach it.
#[derive(Debug)]
pub struct Door {
    /// Where others come.
    pub listener: TcpListener,
    /// What is behind.
    pub service: Service,
    /// Where that listens, on loopback.
    pub target: SocketAddr,
}

/// What has come to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GateCounts {
    /// Connections that were carried to a service.
    pub carried: u64,
    /// Connections that were not: without a proof in time, or with a wrong one.
    pub refused: u64,
    /// Connections that have yet to prove something.
    pub waiting: usize,
}

/// Listens for others. It ends when it is dropped, and the connections through it with it.
#[derive(Debug)]
pub struct Gate {
    shared: Arc<Shared>,
    _doors: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    identity: Identity,
    waiting: Arc<WaitingRoom>,
    carried: AtomicU64,
    refused: AtomicU64,
}

type Guest = TlsStream<Limited<TcpStream>>;

impl Gate {
    /// Opens doors, on the threads of the runtime that this is called on.
    pub fn open(doors: Vec<Door>, identity: &Identity) -> Self {
        let shared = Arc::new(Shared {
            identity: identity.clone(),
            waiting: WaitingRoom::new(WAITING_MAX),
            carried: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        for door in doors {
            tasks.spawn(attend(door, Arc::clone(&shared)));
        }
        Self { shared, _doors: tasks }
    }

    /// What has come so far.
    pub fn counts(&self) -> GateCounts {
        GateCounts {
            carried: self.shared.carried.load(Ordering::Relaxed),
            refused: self.shared.refused.load(Ordering::Relaxed),
            waiting: self.shared.waiting.len(),
        }
    }
}

async fn attend(door: Door, shared: Arc<Shared>) {
    let Door { listener, service, target } = door;
    let mut guests = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    guests.spawn(receive(stream, from.ip(), (service, target), Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = guests.join_next() => {}
        }
    }
}

async fn receive(stream: TcpStream, from: IpAddr, behind: (Service, SocketAddr), shared: Arc<Shared>) {
    let mut place = shared.waiting.enter(from);
    prepare(&stream);
    let admitted = tokio::select! {
        admitted = tokio::time::timeout(PATIENCE, admit(stream, behind, &shared.identity)) => admitted.ok().flatten(),
        () = place.lost() => None,
    };
    drop(place);
    let Some((mut guest, mut service)) = admitted else {
        shared.refused.fetch_add(1, Ordering::Relaxed);
        return;
    };
    shared.carried.fetch_add(1, Ordering::Relaxed);
    // Either side ends it, or the network: both have protocols of their own for that.
    let _ = copy_bidirectional_with_sizes(&mut guest, &mut service, BUFFER_BYTES, BUFFER_BYTES).await;
}

/// The connection of one who knows the secret, and one to the service behind.
async fn admit(
    stream: TcpStream,
    (service, target): (Service, SocketAddr),
    identity: &Identity,
) -> Option<(Guest, TcpStream)> {
    let mut guest = identity.acceptor.accept(Limited::new(stream, UNPROVEN_BYTES_MAX)).await.ok()?;
    let binding = binding(guest.get_ref().1).ok()?;
    let hello = read_hello(&mut guest, &identity.prover, &binding).await.ok()?;
    let (wanted, answer, behind) = match hello {
        Hello::Unproven => (0, Answer::Refused, None),
        Hello::Proven(wanted) if Service::of_number(wanted) != Some(service) => (wanted, Answer::NotHere, None),
        Hello::Proven(wanted) => match TcpStream::connect(target).await {
            Ok(behind) => (wanted, Answer::Welcome, Some(behind)),
            Err(_) => (wanted, Answer::Unavailable, None),
        },
    };
    send_answer(&mut guest, &identity.prover, (wanted, answer), &binding).await.ok()?;
    let Some(behind) = behind else {
        bid_farewell(&mut guest).await;
        return None;
    };
    // Without it, every small message waits for the one before.
    let _ = behind.set_nodelay(true);
    guest.get_mut().0.lift();
    Some((guest, behind))
}

/// Ends a connection so that what was said last arrives: what is thrown away unread would take it along.
async fn bid_farewell(guest: &mut Guest) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let end = async {
        let _ = guest.shutdown().await;
        let mut rest = [0; 64];
        while guest.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
    };
    // Whoever does not go by then is left standing.
    let _ = tokio::time::timeout(FAREWELL, end).await;
}
