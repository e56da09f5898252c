//! Text to statements.

use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::desugar::{Edits, desugar};
use crate::diagnose::diagnose;
use crate::diagnostic::Diagnostic;
use crate::lex::{DIALECT, Lexeme, lex};
use crate::span::Span;
use crate::statement::{Statement, StatementKind};
use crate::{guard, own, split, stack};

/// Above any depth that [`guard`] lets through: the guard and the stack are what bounds the recursion.
const RECURSION_LIMIT: usize = 100_000;

/// Reads the statements of a text, separated by `;`. All that is wrong is reported, one diagnostic a statement at least.
pub fn parse(text: &str) -> Result<Vec<Statement>, Vec<Diagnostic>> {
    guard::check_length(text).map_err(|diagnostic| vec![diagnostic])?;
    let lexed = lex(text);
    if let Some(failure) = lexed.failure {
        return Err(vec![failure]);
    }
    let mut statements = Vec::new();
    let mut diagnostics = Vec::new();
    for range in split::statements(&lexed.lexemes) {
        let lexemes = lexed.lexemes.get(range).unwrap_or_default();
        match parse_statement(text, lexemes) {
            Ok(statement) => statements.push(statement),
            Err(errors) => diagnostics.extend(errors),
        }
    }
    if diagnostics.is_empty() { Ok(statements) } else { Err(diagnostics) }
}

fn parse_statement(text: &str, lexemes: &[Lexeme]) -> Result<Statement, Vec<Diagnostic>> {
    let depth = guard::check_depth(lexemes).map_err(|diagnostic| vec![diagnostic])?;
    let span = split::extent(lexemes).unwrap_or_default();
    let kind = match own::parse(text, span, lexemes)? {
        own::Own::Statement(kind) => kind,
        own::Own::Let { name, query } => {
            let query = parse_tokens(text, query, depth, |parser| parser.parse_query())?;
            StatementKind::Let { name, query }
        }
        own::Own::None => {
            let statement = parse_tokens(text, lexemes, depth, sql_statement)?;
            StatementKind::Sql(Box::new(statement))
        }
    };
    Ok(Statement { kind, span })
}

/// Parses one statement of plain SQL, for what the language is compared with.
#[doc(hidden)]
pub fn parse_stock(text: &str) -> Result<Vec<ast::Statement>, ParserError> {
    Parser::new(&DIALECT).with_recursion_limit(RECURSION_LIMIT).try_with_sql(text)?.parse_statements()
}

/// A statement as DataFusion reads it: `EXPLAIN (SELECT …)` has a query in parentheses, no options.
fn sql_statement(parser: &mut Parser<'_>) -> Result<ast::Statement, ParserError> {
    let keyword = |parser: &Parser<'_>, n: usize| match &parser.peek_nth_token_ref(n).token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    };
    let is_paren = |n: usize| parser.peek_nth_token_ref(n).token == Token::LParen;
    let starts_query = matches!(keyword(parser, 2), Keyword::SELECT | Keyword::FROM | Keyword::WITH | Keyword::VALUES);
    if keyword(parser, 0) != Keyword::EXPLAIN || !is_paren(1) || !(starts_query || is_paren(2)) {
        return parser.parse_statement();
    }
    parser.advance_token();
    Ok(ast::Statement::Explain {
        describe_alias: ast::DescribeAlias::Explain,
        analyze: false,
        verbose: false,
        query_plan: false,
        estimate: false,
        statement: Box::new(parser.parse_statement()?),
        format: None,
        options: None,
    })
}

/// Rewrites the lexemes and runs one rule of stock sqlparser over all of them.
fn parse_tokens<T: Send>(
    text: &str,
    lexemes: &[Lexeme],
    depth: usize,
    rule: fn(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, Vec<Diagnostic>> {
    let parsed = desugar(lexemes).and_then(|tokens| {
        stack::with_room(depth, || {
            run(tokens.clone(), rule).map_err(|error| vec![diagnose(text, lexemes, &tokens, &error)])
        })
    });
    // Behind a bracket without a partner no other error means much.
    parsed.map_err(|errors| Edits::new(lexemes).unmatched_bracket().map_or(errors, |unmatched| vec![unmatched]))
}

/// Runs one rule of stock sqlparser over the tokens, to their end.
pub(crate) fn run<T>(
    tokens: Vec<TokenWithSpan>,
    rule: fn(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, ParserError> {
    let mut parser = Parser::new(&DIALECT).with_recursion_limit(RECURSION_LIMIT).with_tokens_with_locations(tokens);
    let parsed = rule(&mut parser)?;
    match parser.peek_token_ref() {
        TokenWithSpan { token: Token::EOF, .. } => Ok(parsed),
        found => parser.expected_ref("end of statement", found),
    }
}

/// The bytes of `text` in `span`.
pub(crate) fn slice(text: &str, span: Span) -> &str {
    text.get(span.start..span.end).unwrap_or("")
}
