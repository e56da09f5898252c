//! The proof of knowing the secret: a keyed hash over what is this TLS session's own.

use ring::hmac;

use super::secret::Secret;

/// Bytes of a proof.
pub(super) const PROOF_BYTES: usize = 32;

/// The label under which TLS gives bytes that belong to one session (RFC 5705).
pub(super) const EXPORTER_LABEL: &[u8] = b"EXPORTER-quarray-links-1";

/// Bytes of a session, the same on both of its sides and nowhere else.
pub(super) type Binding = [u8; 32];

/// What is behind a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// The scheduler, which executors register with.
    Scheduler,
    /// What an executor is given tasks by.
    Tasks,
    /// What an executor gives shuffled data and results by.
    Data,
}

/// Whose proof it is: that of a client must not do for a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Gate,
}

/// The secret as a key.
#[derive(Debug, Clone)]
pub(super) struct Prover(hmac::Key);

impl Service {
    /// Its number in messages.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Scheduler => 1,
            Self::Tasks => 2,
            Self::Data => 3,
        }
    }

    pub(super) fn of_number(number: u8) -> Option<Self> {
        [Self::Scheduler, Self::Tasks, Self::Data].into_iter().find(|service| service.number() == number)
    }

    /// It in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "a scheduler",
            Self::Tasks => "an executor's service for tasks",
            Self::Data => "an executor's service for data",
        }
    }
}

impl Prover {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()))
    }

    /// The proof of a role that wants, or answers with, these numbers.
    pub(super) fn prove(&self, role: Role, service: u8, answer: u8, binding: &Binding) -> [u8; PROOF_BYTES] {
        let tag = hmac::sign(&self.0, &statement(role, service, answer, binding));
        let mut proof = [0; PROOF_BYTES];
        // Both have 32 bytes.
        proof.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        proof
    }

    /// Whether a proof is right; how long that takes tells nothing of how wrong it is.
    pub(super) fn is_right(&self, proof: &[u8], role: Role, service: u8, answer: u8, binding: &Binding) -> bool {
        hmac::verify(&self.0, &statement(role, service, answer, binding), proof).is_ok()
    }
}

/// What is hashed. All parts have their fixed length: two statements are equal only if their parts are.
fn statement(role: Role, service: u8, answer: u8, binding: &Binding) -> Vec<u8> {
    let role: &[u8] = match role {
        Role::Client => b"quarray links 1: client ",
        Role::Gate => b"quarray links 1: gate   ",
    };
    [role, &[service, answer], binding].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::LinkError;

    #[test]
    fn a_proof_is_for_one_statement() -> Result<(), LinkError> {
        let prover = Prover::new(&Secret::new(b"sixteen bytes or more")?);
        let binding = [7; 32];
        let proof = prover.prove(Role::Client, 1, 0, &binding);
        assert!(prover.is_right(&proof, Role::Client, 1, 0, &binding));
        assert!(!prover.is_right(&proof, Role::Gate, 1, 0, &binding));
        assert!(!prover.is_right(&proof, Role::Client, 2, 0, &binding));
        assert!(!prover.is_right(&proof, Role::Client, 1, 1, &binding));
        assert!(!prover.is_right(&proof, Role::Client, 1, 0, &[8; 32]));
        assert!(!prover.is_right(&proof[..31], Role::Client, 1, 0, &binding));
        assert!(!prover.is_right(&[], Role::Client, 1, 0, &binding));
        let other = Prover::new(&Secret::new(b"sixteen bytes or less")?);
        assert!(!other.is_right(&proof, Role::Client, 1, 0, &binding));
        Ok(())
    }
}
