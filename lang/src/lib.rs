//! The Quarray language: text in, statements out.
//!
//! The language is a strict superset of SQL. [`parse`] runs the stock `sqlparser` over tokens in which the array
//! syntax has been rewritten to ordinary SQL with function calls, spans kept; [`syntax`] reads those calls back as
//! typed array syntax, for the binder and for the formatter.
//!
//! Architecture invariant: this crate knows only text. No Arrow, no DataFusion, no async.

pub mod cluster;
pub mod complete;
pub mod diagnostic;
pub mod guard;
pub mod highlight;
pub mod quantity;
pub mod queries;
pub mod span;
pub mod statement;
pub mod suggest;
pub mod syntax;

mod desugar;
mod diagnose;
mod format;
mod lex;
mod own;
mod parse;
mod reader;
mod split;
mod stack;
mod words;

pub use complete::complete;
pub use format::format;
pub use highlight::highlight;
pub use parse::{parse, parse_stock};
pub use split::{is_complete, split};
