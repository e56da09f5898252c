//! Tests of the language through its public functions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "lang/examples.rs"]
mod examples;
#[path = "lang/formatting.rs"]
mod formatting;
#[path = "lang/parsing.rs"]
mod parsing;
