//! What is refused before it is parsed: recursive code would overflow the stack on it.

use sqlparser::tokenizer::Token;

use crate::diagnostic::Diagnostic;
use crate::lex::Lexeme;
use crate::span::Span;

/// The longest text that is read, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// The most operators that may be chained or nested, one within the other.
pub const OPERATORS_MAX: usize = 2_000;

/// The most brackets that may be open at once.
pub const BRACKETS_MAX: usize = 200;

/// The most names that dots may join: sqlparser takes time quadratic in them.
pub const NAMES_MAX: usize = 100;

/// Refuses a text that is too long.
pub(crate) fn check_length(text: &str) -> Result<(), Diagnostic> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    let message = format!("the text has {} bytes, more than {TEXT_BYTES_MAX}", text.len());
    Err(Diagnostic::new(message).at(Span::new(0, 0)))
}

/// Refuses a statement that nests or chains too deeply; else says how deep its syntax tree may get.
///
/// A comma begins a new element, whose operators are no part of the one before: the elements of a list, of VALUES or
/// of a call do not add up.
pub(crate) fn check_depth(lexemes: &[Lexeme]) -> Result<usize, Diagnostic> {
    let mut levels = vec![Level::default()];
    let mut total: usize = 0;
    let mut brackets: usize = 0;
    let mut deepest: usize = 0;
    check_names(lexemes)?;
    for lexeme in lexemes {
        match kind_of(&lexeme.token) {
            Kind::Open => {
                brackets += 1;
                if brackets > BRACKETS_MAX {
                    return Err(too_deep(lexeme, format!("more than {BRACKETS_MAX} brackets are open here")));
                }
                total += 1;
                levels.push(Level { is_case: false, operators: 1 });
            }
            Kind::OpenCase => {
                total += 1;
                levels.push(Level { is_case: true, operators: 1 });
            }
            Kind::Close => {
                while let Some(level) = pop(&mut levels) {
                    total = total.saturating_sub(level.operators);
                    if !level.is_case {
                        brackets = brackets.saturating_sub(1);
                        break;
                    }
                }
            }
            Kind::CloseCase if levels.last().is_some_and(|level| level.is_case) => {
                total = total.saturating_sub(pop(&mut levels).map_or(0, |level| level.operators));
            }
            Kind::Branch if levels.last().is_some_and(|level| level.is_case) => begin_element(&mut levels, &mut total),
            Kind::Comma => begin_element(&mut levels, &mut total),
            Kind::Operator => {
                total += 1;
                if let Some(level) = levels.last_mut() {
                    level.operators += 1;
                }
            }
            Kind::CloseCase | Kind::Branch | Kind::Other => {}
        }
        deepest = deepest.max(total);
        if total > OPERATORS_MAX {
            return Err(too_deep(lexeme, format!("more than {OPERATORS_MAX} operators are chained or nested here")));
        }
    }
    Ok(deepest)
}

/// Refuses `a.b.c…` of too many names.
fn check_names(lexemes: &[Lexeme]) -> Result<(), Diagnostic> {
    let (mut dots, mut is_after_word) = (0, false);
    for lexeme in lexemes.iter().filter(|lexeme| lexeme.is_significant()) {
        let is_word = matches!(lexeme.token, Token::Word(_));
        dots = match lexeme.token {
            Token::Period => dots + 1,
            Token::Word(_) if !is_after_word => dots,
            _ => 0,
        };
        is_after_word = is_word;
        if dots >= NAMES_MAX {
            return Err(Diagnostic::new(format!("more than {NAMES_MAX} names are joined here")).at(lexeme.span));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Level {
    is_case: bool,
    operators: usize,
}

enum Kind {
    Open,
    Close,
    OpenCase,
    CloseCase,
    Branch,
    Comma,
    Operator,
    Other,
}

/// Words that nest or chain what follows them.
const OPERATOR_WORDS: &[&str] = &[
    "AND",
    "OR",
    "XOR",
    "NOT",
    "IS",
    "IN",
    "LIKE",
    "ILIKE",
    "RLIKE",
    "REGEXP",
    "SIMILAR",
    "BETWEEN",
    "COLLATE",
    "AT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "MINUS",
    "JOIN",
    "INTERVAL",
    "EXPLAIN",
    "DESCRIBE",
    "DESC",
    "PRIOR",
    "DIV",
    "OVERLAPS",
    "ANALYZE",
    "PIVOT",
    "UNPIVOT",
    "MATCH_RECOGNIZE",
    "ARRAY",
    "CONNECT_BY_ROOT",
    "BINARY",
    "MEMBER",
    "IF",
    "WHILE",
    "BEGIN",
    "PREPARE",
    "DECLARE",
    "EXECUTE",
    "VERBOSE",
    "LATERAL",
    "CACHE",
    "APPLY",
    "MAP",
    "STRUCT",
];

fn kind_of(token: &Token) -> Kind {
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => Kind::Open,
        Token::RParen | Token::RBracket | Token::RBrace => Kind::Close,
        Token::Comma => Kind::Comma,
        Token::Word(word) if word.quote_style.is_none() => kind_of_word(&word.value),
        Token::Word(_) | Token::Number(..) | Token::Whitespace(_) | Token::Period | Token::SemiColon => Kind::Other,
        Token::SingleQuotedString(_) | Token::Placeholder(_) | Token::EOF => Kind::Other,
        // Strings of other kinds count too: one beside the other would be odd anyway.
        _ => Kind::Operator,
    }
}

fn kind_of_word(word: &str) -> Kind {
    let is = |name: &&str| name.eq_ignore_ascii_case(word);
    if is(&"CASE") {
        Kind::OpenCase
    } else if is(&"END") {
        Kind::CloseCase
    } else if ["WHEN", "THEN", "ELSE"].iter().any(is) {
        Kind::Branch
    } else if OPERATOR_WORDS.iter().any(is) {
        Kind::Operator
    } else {
        Kind::Other
    }
}

/// Closes the innermost level; the outermost never closes.
fn pop(levels: &mut Vec<Level>) -> Option<Level> {
    if levels.len() > 1 { levels.pop() } else { None }
}

fn begin_element(levels: &mut [Level], total: &mut usize) {
    if let Some(level) = levels.last_mut() {
        let kept = usize::from(level.operators > 0);
        *total = total.saturating_sub(level.operators - kept);
        level.operators = kept;
    }
}

fn too_deep(lexeme: &Lexeme, message: String) -> Diagnostic {
    Diagnostic::new(message).at(lexeme.span).with_help("write it as a list, as `x IN (…)`, or in several statements")
}
