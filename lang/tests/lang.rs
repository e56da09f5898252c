//! Tests of the language through its public functions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "lang/catalogs.rs"]
mod catalogs;
#[path = "lang/clusters.rs"]
mod clusters;
#[path = "lang/completing.rs"]
mod completing;
#[path = "lang/examples.rs"]
mod examples;
#[path = "lang/formatting.rs"]
mod formatting;
#[path = "lang/generated.rs"]
mod generated;
#[path = "lang/hostile.rs"]
mod hostile;
#[path = "lang/parsing.rs"]
mod parsing;
#[path = "lang/quantities.rs"]
mod quantities;
#[path = "lang/superset.rs"]
mod superset;
#[path = "lang/views.rs"]
mod views;
