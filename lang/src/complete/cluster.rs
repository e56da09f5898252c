//! What may come next in a statement about clusters.

use sqlparser::tokenizer::Token;

use super::{Candidate, CandidateKind, Scope, candidate, quoted};
use crate::cluster::{OPTION_NAMES, Piece, is_begun, is_reserved, next_pieces, takes_options};

impl Scope<'_> {
    /// The candidates, if the statement is about clusters.
    pub(super) fn of_cluster_statement(&self) -> Option<Vec<Candidate>> {
        if !is_begun(&self.before) {
            return None;
        }
        let options = self.open_group().filter(|open| takes_options(&self.before, *open));
        Some(match options {
            Some(open) => self.cluster_options(open),
            None => self.cluster_pieces(),
        })
    }

    /// What a statement about clusters may have here, be it one or not.
    pub(super) fn cluster_pieces(&self) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for piece in next_pieces(&self.before, self.before.len()) {
            match piece {
                Piece::Word(word) => candidates.push(candidate(word, CandidateKind::Keyword)),
                Piece::Name => {
                    let names = self.names.clusters();
                    candidates.extend(names.iter().map(|name| candidate(&cluster_name(name), CandidateKind::Cluster)));
                }
                Piece::NewName | Piece::Count | Piece::Id | Piece::Size | Piece::Options => {}
            }
        }
        candidates
    }

    /// The names of options that are not yet given, where a name may begin.
    fn cluster_options(&self, open: usize) -> Vec<Candidate> {
        let begins = |position: usize| position == open || self.before.is(position, &Token::Comma);
        let last = self.before.len().saturating_sub(1);
        if !begins(last) {
            return Vec::new();
        }
        let is_given = |name: &str| {
            (open..last).any(|position| {
                begins(position) && self.before.word(position + 1).is_some_and(|word| word.eq_ignore_ascii_case(name))
            })
        };
        let names = OPTION_NAMES.into_iter().filter(|name| !is_given(name));
        names.map(|name| candidate(name, CandidateKind::Option)).collect()
    }
}

/// The name of a cluster as it has to be written.
fn cluster_name(name: &str) -> String {
    if is_reserved(name) { format!("\"{name}\"") } else { quoted(name) }
}
