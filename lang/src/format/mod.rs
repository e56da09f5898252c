//! Statements to text, in the array syntax.
//!
//! sqlparser prints its own syntax tree. What is array syntax in it is first replaced by names that hold the text to
//! print, from the innermost outwards.

mod cluster;
mod resugar;
mod write;

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, UnaryOperator, Value, ValueWithSpan, VisitMut, VisitorMut};
use sqlparser::tokenizer::Token;

use crate::lex::lex;
use crate::parse::parse;
use crate::queries::QueriesStatement;
use crate::stack;
use crate::statement::{Statement, StatementKind};
use resugar::{CALL_MARK, Resugar};

/// A statement longer than this gets a line for each of its steps.
const LINE_WIDTH: usize = 100;

/// Prints a statement in the array syntax, without a closing `;`. What is printed parses to the same statement.
pub fn format(statement: &Statement) -> String {
    // How deep the tree is is not known before it is walked.
    stack::with_room(usize::MAX, || {
        let sugared = broken_at_pipes(&print(&statement.kind, true));
        // What somebody wrote as calls may have no array syntax that means exactly the same.
        match parse(&sugared).as_deref() {
            Ok([reparsed]) if reparsed.kind == statement.kind => sugared,
            _ => broken_at_pipes(&print(&statement.kind, false)),
        }
    })
}

fn print(kind: &StatementKind, sugar: bool) -> String {
    match kind {
        StatementKind::Sql(statement) => print_tree(statement.as_ref(), sugar),
        StatementKind::Let { name, query } => format!("LET {name} = {}", print_tree(query.as_ref(), sugar)),
        StatementKind::Detach { name } => format!("DETACH {name}"),
        StatementKind::Cluster(statement) => cluster::statement(statement),
        StatementKind::Queries(QueriesStatement::Show) => "SHOW QUERIES".to_string(),
        StatementKind::Queries(QueriesStatement::Cancel { id }) => format!("CANCEL QUERY {}", write::string(&id.value)),
        StatementKind::Stock(text) => text.clone(),
        StatementKind::Attach { uri, name, options } => {
            let options: Vec<String> =
                options.iter().map(|(key, value)| format!("{} = {}", write::key(key), write::string(value))).collect();
            let with = if options.is_empty() { String::new() } else { format!(" WITH ({})", options.join(", ")) };
            format!("ATTACH {} AS {name}{with}", write::string(uri))
        }
    }
}

/// Prints a syntax tree on one line.
fn print_tree<T: Clone + VisitMut + std::fmt::Display>(tree: &T, sugar: bool) -> String {
    let mut tree = tree.clone();
    if sugar {
        // The visitors never break off.
        let _ = VisitMut::visit(&mut tree, &mut Resugar);
    }
    shown(&tree).replace(CALL_MARK, "")
}

/// Prints a syntax tree as sqlparser does, but for what it does not print as it reads it.
fn shown<T: Clone + VisitMut + std::fmt::Display>(tree: &T) -> String {
    let mut tree = tree.clone();
    let _ = VisitMut::visit(&mut tree, &mut Unprintable);
    tree.to_string()
}

/// Replaces what sqlparser does not print as it reads it by its text.
struct Unprintable;

impl VisitorMut for Unprintable {
    type Break = ();

    /// sqlparser takes two quotes in a string for one that is already escaped.
    fn post_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Value::SingleQuotedString(text) = &value.value {
            value.value = Value::Number(write::string(text), false);
        }
        ControlFlow::Continue(())
    }

    /// Two minus signs side by side begin a comment.
    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::UnaryOp { op: UnaryOperator::Minus, expr } = expression {
            let operand = expr.to_string();
            if operand.starts_with('-') {
                **expr = Expr::Identifier(Ident::new(format!(" {operand}")));
            }
        }
        ControlFlow::Continue(())
    }
}

/// The text with a line for each step of the outermost pipe, if it is long.
fn broken_at_pipes(text: &str) -> String {
    if text.chars().count() <= LINE_WIDTH {
        return text.to_string();
    }
    let mut broken = String::with_capacity(text.len() + 16);
    let (mut depth, mut copied) = (0_usize, 0);
    for lexeme in lex(text).lexemes {
        match lexeme.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::VerticalBarRightAngleBracket if depth == 0 => {
                broken.push_str(text.get(copied..lexeme.span.start).unwrap_or("").trim_end());
                broken.push('\n');
                copied = lexeme.span.start;
            }
            _ => {}
        }
    }
    broken.push_str(text.get(copied..).unwrap_or(""));
    broken
}
