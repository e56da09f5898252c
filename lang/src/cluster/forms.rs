//! The forms of the statements about clusters and about queries, token by token: what the shell completes and colours.

use sqlparser::tokenizer::Token;

use crate::desugar::Edits;
use crate::lex::Lexeme;
use crate::{span::Span, split};

/// What stands in one place of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A keyword.
    Word(&'static str),
    /// The name of a cluster that is there.
    Name,
    /// The name of a cluster to be.
    NewName,
    /// A number of executors.
    Count,
    /// The id of a job or of a query, in quotes.
    Id,
    /// A size, in quotes or as bytes.
    Size,
    /// Options in parentheses.
    Options,
}

use Piece::{Count, Id, Name, NewName, Options, Size, Word};

/// Every form that the statements have.
const FORMS: &[&[Piece]] = &[
    &[Word("CREATE"), Word("CLUSTER"), NewName, Word("WITH"), Options],
    &[Word("CREATE"), Word("CLUSTER"), Word("IF"), Word("NOT"), Word("EXISTS"), NewName, Word("WITH"), Options],
    &[Word("ALTER"), Word("CLUSTER"), Name, Word("SCALE"), Word("TO"), Count],
    &[Word("ALTER"), Word("CLUSTER"), Name, Word("ADAPT"), Word("BETWEEN"), Count, Word("AND"), Count],
    &[Word("DROP"), Word("CLUSTER"), Name],
    &[Word("DROP"), Word("CLUSTER"), Word("IF"), Word("EXISTS"), Name],
    &[Word("USE"), Word("CLUSTER"), Name, Word("ABOVE"), Size],
    &[Word("USE"), Word("LOCAL")],
    &[Word("SHOW"), Word("CLUSTERS")],
    &[Word("SHOW"), Word("EXECUTORS"), Word("FROM"), Name],
    &[Word("SHOW"), Word("JOBS"), Word("FROM"), Name],
    &[Word("SHOW"), Word("SCALING"), Word("FROM"), Name],
    &[Word("CANCEL"), Word("JOB"), Id],
    &[Word("SHOW"), Word("QUERIES")],
    &[Word("CANCEL"), Word("QUERY"), Id],
];

/// Words that are no names of clusters, unless in quotes.
pub(super) const RESERVED: &[&str] = &["IF", "WITH", "FROM", "SCALE", "ADAPT", "ABOVE"];

/// Whether a word, in any case, is one of [`RESERVED`].
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// The pieces of the longest form.
const PIECES_MAX: usize = 8;

/// Whether the tokens begin a statement about clusters, and no other.
pub(crate) fn is_begun(tokens: &Edits<'_>) -> bool {
    let sure = if tokens.is_word(0, &["CANCEL", "USE"]) { 1 } else { 2 };
    tokens.len() >= sure && FORMS.iter().any(|form| fits(form, tokens, sure))
}

/// What may come after the first `count` tokens of a statement, each once, in the order of the forms.
pub(crate) fn next_pieces(tokens: &Edits<'_>, count: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for form in FORMS.iter().filter(|form| fits(form, tokens, count)) {
        pieces.extend(form.get(count).filter(|piece| !pieces.contains(*piece)));
    }
    pieces
}

/// Whether the bracket at `open` opens options of a cluster.
pub(crate) fn takes_options(tokens: &Edits<'_>, open: usize) -> bool {
    tokens.is(open, &Token::LParen) && next_pieces(tokens, open).contains(&Options)
}

/// The places of the keywords that are keywords only in statements about clusters, in their order.
pub(crate) fn keywords(lexemes: &[Lexeme]) -> Vec<Span> {
    let mut spans = Vec::new();
    for range in split::statements(lexemes) {
        let statement = lexemes.get(range).unwrap_or_default();
        let mut significant = statement.iter().enumerate().filter(|(_, lexeme)| lexeme.is_significant());
        let cut = significant.nth(PIECES_MAX).map_or(statement.len(), |(index, _)| index);
        let tokens = Edits::new(statement.get(..cut).unwrap_or_default());
        let is_keyword = |position: &usize| match next_pieces(&tokens, *position).as_slice() {
            [] => false,
            pieces => pieces.iter().any(|piece| matches!(piece, Word(_)) && piece.fits(&tokens, *position)),
        };
        spans.extend((0..tokens.len()).filter(is_keyword).map(|position| tokens.span(position)));
    }
    spans
}

/// Whether the first `count` tokens are those of the form.
fn fits(form: &[Piece], tokens: &Edits<'_>, count: usize) -> bool {
    let begin = form.get(..count);
    begin.is_some_and(|pieces| pieces.iter().enumerate().all(|(position, piece)| piece.fits(tokens, position)))
}

impl Piece {
    fn fits(self, tokens: &Edits<'_>, position: usize) -> bool {
        match self {
            Word(word) => tokens.is_word(position, &[word]),
            Name | NewName => tokens.is_name(position) && !tokens.is_word(position, RESERVED),
            Count => matches!(tokens.token(position), Some(Token::Number(..))),
            Id => matches!(tokens.token(position), Some(Token::SingleQuotedString(_))),
            Size => matches!(tokens.token(position), Some(Token::SingleQuotedString(_) | Token::Number(..))),
            Options => tokens.is(position, &Token::LParen),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::lex::lex;
    use crate::statement::StatementKind;

    fn example(piece: &Piece) -> &'static str {
        match piece {
            Word(word) => word,
            Name | NewName => "pc",
            Count => "3",
            Id => "'a1'",
            Size => "'64 MB'",
            Options => "(min = 1)",
        }
    }

    #[test]
    fn every_form_is_parsed_and_coloured() {
        for form in FORMS {
            let text = form.iter().map(example).collect::<Vec<_>>().join(" ");
            let statements = crate::parse(&text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
            assert!(matches!(statements[0].kind, StatementKind::Cluster(_) | StatementKind::Queries(_)), "{text}");
            assert!(form.len() <= PIECES_MAX, "{text}");
            let coloured: Vec<&str> =
                keywords(&lex(&text).lexemes).iter().map(|span| &text[span.start..span.end]).collect();
            let words: Vec<&str> = form.iter().filter(|piece| matches!(piece, Word(_))).map(example).collect();
            assert_eq!(coloured, words, "{text}");
        }
    }

    #[test]
    fn every_place_of_a_form_offers_its_piece() {
        for form in FORMS {
            let text = form.iter().map(example).collect::<Vec<_>>().join(" ");
            let lexed = lex(&text);
            let tokens = Edits::new(&lexed.lexemes);
            for (count, piece) in form.iter().enumerate() {
                assert!(next_pieces(&tokens, count).contains(piece), "{text} at {count}");
            }
        }
    }
}
