//! The tests that need more than one crate, in one binary: one link, one build.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "quarray/answer.rs"]
mod answer;
#[path = "quarray/bad_input.rs"]
mod bad_input;
#[path = "quarray/examples.rs"]
mod examples;
#[path = "quarray/executors.rs"]
mod executors;
#[path = "quarray/flight.rs"]
mod flight;
#[path = "quarray/golden.rs"]
mod golden;
#[path = "quarray/layouts.rs"]
mod layouts;
#[path = "quarray/losses.rs"]
mod losses;
#[path = "quarray/metrics.rs"]
mod metrics;
#[path = "quarray/property.rs"]
mod property;
#[path = "quarray/reference.rs"]
mod reference;
#[path = "quarray/refilled.rs"]
mod refilled;
#[path = "quarray/run.rs"]
mod run;
#[path = "quarray/scenario.rs"]
mod scenario;
#[path = "quarray/slow_server.rs"]
mod slow_server;
#[path = "quarray/stages.rs"]
mod stages;
#[path = "quarray/store.rs"]
mod store;
#[path = "quarray/tidy.rs"]
mod tidy;
#[path = "quarray/told.rs"]
mod told;
#[path = "quarray/wire.rs"]
mod wire;
