//! Array steps: `|> REDUCE avg(t) AS m ALONG y, x` to `|> CALL reduce(item(avg(t), m), along => list(y, x))`.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::brackets::rewrite_selectors;
use super::edits::{Edits, as_plain_word, call_of, plain_word};
use super::sources::rewrite_source;
use super::verbs::{Clause, Head, SQL_PIPE_VERBS, VERBS, Verb, verb_named};
use crate::diagnostic::Diagnostic;
use crate::suggest;

/// Rewrites every step that begins with a verb of ours.
pub(super) fn rewrite(edits: &mut Edits<'_>) {
    for pipe in 0..edits.len() {
        if !edits.is(pipe, &Token::VerticalBarRightAngleBracket) {
            continue;
        }
        let verb = pipe + 1;
        match edits.word(verb) {
            Some(word) if word == "DROP" => end_drop(edits, verb),
            Some(word) if SQL_PIPE_VERBS.contains(&word.as_str()) => {}
            Some(word) => match verb_named(&word) {
                Some(known) => rewrite_step(edits, verb, known),
                None => unknown_verb(edits, verb, &word),
            },
            None => edits.expected("a step after `|>`", verb, None),
        }
    }
}

/// sqlparser reads on past the parenthesis after a DROP; it stops before another step, so there is one that does
/// nothing.
fn end_drop(edits: &mut Edits<'_>, verb: usize) {
    let end = step_end(edits, verb + 1);
    if edits.is(end, &Token::RParen) {
        let step = [Token::VerticalBarRightAngleBracket, Token::make_keyword("SELECT"), Token::Mul];
        edits.close(end - 1, verb, step.to_vec());
    }
}

fn unknown_verb(edits: &mut Edits<'_>, position: usize, word: &str) {
    let names = VERBS.iter().map(|verb| verb.name).chain(SQL_PIPE_VERBS.iter().copied());
    let diagnostic = Diagnostic::new(format!("unknown step {}", edits.found(position))).at(edits.span(position));
    edits.diagnostics.push(match suggest::closest(word, names) {
        Some(name) => diagnostic.with_help(suggest::did_you_mean(name)),
        None => diagnostic.with_help("a step is SELECT, EXTEND, WHERE, AGGREGATE, SEL, REDUCE, MASK, COARSEN, …"),
    });
}

fn rewrite_step(edits: &mut Edits<'_>, position: usize, verb: &Verb) {
    let end = step_end(edits, position + 1);
    let clauses = find_clauses(edits, verb, position + 1, end);
    let head_end = clauses.first().map_or(end, |(at, _)| *at);
    let name = verb.name.to_lowercase();
    edits.replace(position, vec![Token::make_keyword("CALL"), plain_word(&name), Token::LParen]);
    edits.close(end - 1, position, vec![Token::RParen]);
    rewrite_head(edits, verb, position + 1, head_end);
    for (index, &(at, clause)) in clauses.iter().enumerate() {
        let clause_end = clauses.get(index + 1).map_or(end, |(next, _)| *next);
        if clauses[..index].iter().any(|(_, earlier)| *earlier == clause) {
            edits.expected(&format!("{} only once", clause.keyword()), at, None);
        }
        let is_first_argument = index == 0 && head_end == position + 1;
        rewrite_clause(edits, clause, at, clause_end, is_first_argument);
    }
}

/// The end of the step whose verb stands before `start`.
fn step_end(edits: &Edits<'_>, start: usize) -> usize {
    let mut position = start;
    while position < edits.len() {
        let ends = match edits.token(position) {
            Some(Token::VerticalBarRightAngleBracket | Token::SemiColon) => true,
            Some(Token::RParen | Token::RBracket | Token::RBrace) => true,
            _ => edits.is_word(position, &["UNION", "EXCEPT", "INTERSECT"]),
        };
        if ends {
            break;
        }
        position = edits.next_at_level(position);
    }
    position
}

/// The clauses of a step, in the order they are written.
fn find_clauses(edits: &Edits<'_>, verb: &Verb, start: usize, end: usize) -> Vec<(usize, Clause)> {
    let mut found = Vec::new();
    for position in edits.level(start, end) {
        let clause = verb.clauses.iter().find(|clause| edits.is_word(position, &[clause.keyword()]));
        let Some(&clause) = clause else { continue };
        // After an operator, a comma or AS it is a name, as it is before a dot, and ALONG after APPEND is a part of it.
        let begins = position == start || ends_operand(edits, position - 1);
        let is_qualifier = edits.is(position + 1, &Token::Period);
        if begins && !is_qualifier {
            found.push((position, clause));
        }
    }
    found
}

/// Whether an operand may end with the token at `position`.
fn ends_operand(edits: &Edits<'_>, position: usize) -> bool {
    match edits.token(position) {
        Some(Token::Word(word)) if word.quote_style.is_none() => !edits.is_word(position, OPERATORS),
        Some(Token::Word(_) | Token::RParen | Token::RBracket | Token::RBrace | Token::Number(..)) => true,
        Some(Token::Placeholder(_) | Token::Mul) => true,
        Some(token) => is_string(token),
        None => false,
    }
}

fn is_string(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
    )
}

/// Words after which an operand follows.
const OPERATORS: &[&str] = &[
    "AND", "AS", "BETWEEN", "CASE", "COLLATE", "DIV", "ELSE", "FROM", "ILIKE", "IN", "INTERVAL", "IS", "LIKE", "NOT",
    "OR", "OVER", "REGEXP", "RLIKE", "SIMILAR", "THEN", "WHEN", "XOR", "ZONE",
];

/// Words that end an expression and are no alias.
const ENDINGS: &[&str] = &[
    "DAY",
    "DAYS",
    "END",
    "FALSE",
    "HOUR",
    "HOURS",
    "MINUTE",
    "MINUTES",
    "MONTH",
    "MONTHS",
    "NULL",
    "NULLS",
    "PRECISION",
    "SECOND",
    "SECONDS",
    "TRUE",
    "UNKNOWN",
    "YEAR",
    "YEARS",
    "VARYING",
    "UNSIGNED",
    "TIME",
    "ZONE",
    "NORMALIZED",
    "JSON",
];

fn rewrite_head(edits: &mut Edits<'_>, verb: &Verb, start: usize, end: usize) {
    let is_empty = start >= end;
    match verb.head {
        Head::Nothing if is_empty => {}
        Head::OptionalItems if is_empty => {}
        Head::Nothing => {
            let keyword = verb.clauses.first().map_or("the end", |clause| clause.keyword());
            edits.expected(&format!("{keyword} after {}", verb.name), start, None);
        }
        Head::Selectors => rewrite_selectors(edits, start, end),
        Head::Items | Head::OptionalItems => {
            let parts = edits.split_commas(start, end);
            if parts.is_empty() {
                edits.expected(&format!("an expression after {}", verb.name), start, None);
            }
            parts.into_iter().for_each(|(start, end)| rewrite_item(edits, start, end));
        }
        Head::Sources => {
            let parts = edits.split_commas(start, end);
            if parts.is_empty() {
                edits.expected(&format!("a dataset after {}", verb.name), start, None);
            }
            for (start, end) in parts {
                rewrite_item(edits, start, end);
                edits.claim(start);
                rewrite_source(edits, start);
            }
        }
        Head::Sizes => rewrite_sizes(edits, start, end),
        Head::Condition if is_empty => {
            let expected = if verb.name == "INTO" { "a path or a name" } else { "a condition" };
            edits.expected(&format!("{expected} after {}", verb.name), start, None);
        }
        Head::Condition => {
            if let Some((_, comma)) = edits.split_commas(start, end).first().filter(|(_, first_end)| *first_end < end) {
                edits.expected("one value", *comma, None);
            }
        }
    }
}

/// `expr AS name`, `expr name` or `expr` to `item(expr, name)` or `item(expr)`.
fn rewrite_item(edits: &mut Edits<'_>, start: usize, end: usize) {
    if start >= end {
        edits.expected("an expression", start, None);
        return;
    }
    edits.wrap(start, end - 1, call_of("item"), vec![Token::RParen]);
    // `item(all(x))` would be read as `item(ALL (x))`, all of them and not only the distinct ones.
    if edits.is_word(start, &["ALL"]) && edits.is(start + 1, &Token::LParen) {
        edits.replace(start, vec![plain_word("bool_and")]);
    }
    let last = end - 1;
    if end - start < 2 || !edits.is_name(last) {
        return;
    }
    if end - start > 2 && edits.is_word(last - 1, &["AS"]) {
        edits.replace(last - 1, vec![Token::Comma]);
        name_only(edits, last);
    } else if !edits.is_word(last, ENDINGS) && ends_operand(edits, last - 1) {
        let name = edits.token(last).map(as_plain_word);
        edits.replace(last, [Some(Token::Comma), name].into_iter().flatten().collect());
    }
}

fn rewrite_clause(edits: &mut Edits<'_>, clause: Clause, at: usize, end: usize, is_first: bool) {
    let argument = |name: &str, function: Option<&str>| {
        let comma = (!is_first).then_some(Token::Comma);
        let call = function.map(call_of).unwrap_or_default();
        comma.into_iter().chain([plain_word(name), Token::RArrow]).chain(call).collect::<Vec<Token>>()
    };
    match clause {
        Clause::Along | Clause::Keep => {
            edits.replace(at, argument(&clause.keyword().to_lowercase(), Some("list")));
            edits.close(end - 1, at, vec![Token::RParen]);
            rewrite_dimensions(edits, at + 1, end);
        }
        Clause::By => {
            edits.replace(at, argument("by", Some("list")));
            edits.close(end - 1, at, vec![Token::RParen]);
            rewrite_sizes(edits, at + 1, end);
        }
        Clause::To | Clause::Using | Clause::Resolution | Clause::WithValue => {
            edits.replace(at, argument(&clause.keyword().to_lowercase(), None));
            if at + 1 >= end {
                edits.expected(&format!("a value after {}", clause.keyword()), end, None);
            } else if at + 2 == end {
                name_only(edits, at + 1);
            }
        }
        Clause::ToDimension => {
            edits.replace(at, argument("dim", None));
            name_only(edits, at + 1);
            if at + 1 >= end || !edits.is_name(at + 1) {
                edits.expected("a dimension after TO", at + 1, Some("write `TO time '1 month'`"));
            } else if at + 2 >= end {
                edits.expected("a step after the dimension", end, Some("write `TO time '1 month'`"));
            } else {
                edits.close(at + 1, at, vec![Token::Comma, plain_word("to"), Token::RArrow]);
            }
        }
        Clause::WithOptions | Clause::Chunks => {
            let name = clause.keyword().to_lowercase();
            edits.replace(at, [argument(&name, None), vec![plain_word("list")]].concat());
            let is_list = edits.is(at + 1, &Token::LParen) && edits.partner(at + 1).map(|close| close + 1) == Some(end);
            match (is_list, clause) {
                (false, _) => {
                    edits.expected(&format!("a list in parentheses after {}", clause.keyword()), at + 1, None)
                }
                (true, Clause::Chunks) => rewrite_sizes(edits, at + 2, end - 1),
                (true, _) => rewrite_options(edits, at + 2, end - 1),
            }
        }
        Clause::Append => {
            edits.replace(at, argument("append", None));
            if edits.is_word(at + 1, &["ALONG"]) && at + 3 == end && edits.is_name(at + 2) {
                edits.replace(at + 1, Vec::new());
                name_only(edits, at + 2);
            } else {
                edits.expected("ALONG and one dimension after APPEND", at + 1, None);
            }
        }
        Clause::Region => {
            edits.replace(at, [argument("region", None), vec![Token::make_keyword("TRUE")]].concat());
            if at + 1 != end {
                edits.expected("the end of the step after REGION", at + 1, None);
            }
        }
    }
}

fn rewrite_dimensions(edits: &mut Edits<'_>, start: usize, end: usize) {
    let parts = edits.split_commas(start, end);
    if parts.is_empty() {
        edits.expected("a dimension", start, None);
    }
    for (start, end) in parts {
        dimension(edits, start, end);
    }
}

/// Makes the one word in `start..end` a name.
pub(super) fn dimension(edits: &mut Edits<'_>, start: usize, end: usize) {
    if start >= end || !edits.is_name(start) {
        edits.expected("a dimension", start, None);
    } else if start + 1 != end {
        edits.expected("`,` or the end of the list of dimensions", start + 1, None);
    } else {
        name_only(edits, start);
    }
}

/// `dim n, …` to `size(dim, n), …`.
fn rewrite_sizes(edits: &mut Edits<'_>, start: usize, end: usize) {
    let parts = edits.split_commas(start, end);
    if parts.is_empty() {
        edits.expected("a dimension and a number of cells", start, None);
    }
    for (start, end) in parts {
        if start >= end || !edits.is_name(start) {
            edits.expected("a dimension", start, None);
        } else if start + 1 >= end {
            edits.expected(&format!("a number of cells after {}", edits.found(start)), end, None);
        } else {
            let name = edits.token(start).map(as_plain_word);
            edits.replace(start, call_of("size").into_iter().chain(name).chain([Token::Comma]).collect());
            edits.close(end - 1, start, vec![Token::RParen]);
        }
    }
}

/// `k = v, …` to `option('k', v), …`.
pub(super) fn rewrite_options(edits: &mut Edits<'_>, start: usize, end: usize) {
    let parts = edits.split_commas(start, end);
    if parts.is_empty() {
        edits.expected("an option", start, Some("write `WITH (name = value)`"));
    }
    for (start, end) in parts {
        let name = match edits.token(start) {
            Some(Token::Word(word)) => word.value.to_lowercase(),
            Some(Token::SingleQuotedString(text)) => text.to_lowercase(),
            _ => String::new(),
        };
        if name.is_empty() || start >= end {
            edits.expected("the name of an option", start, None);
        } else if start + 1 >= end || !edits.is(start + 1, &Token::Eq) {
            edits.expected("`=` after the name of an option", start + 1, None);
        } else if start + 2 >= end {
            edits.expected("a value after `=`", start + 2, None);
        } else {
            let opening = call_of("option").into_iter().chain([Token::SingleQuotedString(name)]).collect();
            edits.replace(start, opening);
            edits.replace(start + 1, vec![Token::Comma]);
            edits.close(end - 1, start, vec![Token::RParen]);
        }
    }
}

/// Makes the word at `position` a name even if it is a keyword; `true`, `false` and NULL stay values.
fn name_only(edits: &mut Edits<'_>, position: usize) {
    if let Some(Token::Word(word)) = edits.token(position)
        && !matches!(word.keyword, Keyword::TRUE | Keyword::FALSE | Keyword::NULL)
    {
        edits.replace(position, vec![as_plain_word(&Token::Word(word.clone()))]);
    }
}
