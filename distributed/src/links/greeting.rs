//! What is said between the TLS handshake and the first byte of a service.
//!
//! ```text
//! client → gate   mark (8), service (1), proof (32)
//! gate → client   answer (1), proof (32); no proof with a refusal
//! ```

use std::io;

use rustls::ConnectionCommon;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::proof::{Binding, EXPORTER_LABEL, PROOF_BYTES, Prover, Role, Service};

/// How a client begins, and which version of this it speaks.
const MARK: &[u8; 8] = b"quarray1";

/// What a client says.
const HELLO_BYTES: usize = MARK.len() + 1 + PROOF_BYTES;

/// What a gate says.
const REPLY_BYTES: usize = 1 + PROOF_BYTES;

/// A gate's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// From now on, bytes are the service's.
    Welcome,
    /// The proof is wrong.
    Refused,
    /// The proof is right, and this service is not behind this gate.
    NotHere,
    /// The proof is right, and the service does not listen.
    Unavailable,
}

/// What a client has said.
pub(super) enum Hello {
    /// It knows the secret, and wants the service of this number.
    Proven(u8),
    /// It does not.
    Unproven,
}

impl Answer {
    fn number(self) -> u8 {
        match self {
            Self::Welcome => 0,
            Self::Refused => 1,
            Self::NotHere => 2,
            Self::Unavailable => 3,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        let all = [Self::Welcome, Self::Refused, Self::NotHere, Self::Unavailable];
        all.into_iter().find(|answer| answer.number() == number)
    }
}

/// The bytes that belong to one TLS session.
pub(super) fn binding<D>(session: &ConnectionCommon<D>) -> io::Result<Binding> {
    session.export_keying_material([0; 32], EXPORTER_LABEL, Some(b"")).map_err(io::Error::other)
}

/// A client says which service it wants, and that it may.
pub(super) async fn send_hello(
    stream: &mut (impl AsyncWrite + Unpin),
    prover: &Prover,
    service: Service,
    binding: &Binding,
) -> io::Result<()> {
    let proof = prover.prove(Role::Client, service.number(), 0, binding);
    let hello = [MARK.as_slice(), &[service.number()], &proof].concat();
    stream.write_all(&hello).await?;
    stream.flush().await
}

/// A gate hears a client.
pub(super) async fn read_hello(
    stream: &mut (impl AsyncRead + Unpin),
    prover: &Prover,
    binding: &Binding,
) -> io::Result<Hello> {
    let mut hello = [0; HELLO_BYTES];
    stream.read_exact(&mut hello).await?;
    let is_right = |rest: &[u8]| {
        let (service, proof) = rest.split_first()?;
        prover.is_right(proof, Role::Client, *service, 0, binding).then_some(*service)
    };
    Ok(hello.strip_prefix(MARK).and_then(is_right).map_or(Hello::Unproven, Hello::Proven))
}

/// A gate answers one that wants the service of this number.
pub(super) async fn send_answer(
    stream: &mut (impl AsyncWrite + Unpin),
    prover: &Prover,
    (service, answer): (u8, Answer),
    binding: &Binding,
) -> io::Result<()> {
    let proof = match answer {
        // Whoever has proved nothing gets no proof to try secrets on.
        Answer::Refused => [0; PROOF_BYTES],
        answer => prover.prove(Role::Gate, service, answer.number(), binding),
    };
    stream.write_all(&[[answer.number()].as_slice(), &proof].concat()).await?;
    stream.flush().await
}

/// A client hears the gate; `None`: it does not prove that it knows the secret.
pub(super) async fn read_answer(
    stream: &mut (impl AsyncRead + Unpin),
    prover: &Prover,
    service: Service,
    binding: &Binding,
) -> io::Result<Option<Answer>> {
    let mut reply = [0; REPLY_BYTES];
    stream.read_exact(&mut reply).await?;
    let [number, proof @ ..] = reply;
    Ok(match Answer::of_number(number) {
        // Nobody can be kept from refusing.
        Some(Answer::Refused) => Some(Answer::Refused),
        answer => answer.filter(|_| prover.is_right(&proof, Role::Gate, service.number(), number, binding)),
    })
}
