//! End-to-end tests: one binary, so that they share one broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod reader;
mod readme;
mod source_faults;
mod source_kafka;
