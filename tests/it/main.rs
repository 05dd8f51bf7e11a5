//! End-to-end tests: one binary, so that they share one broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arrival;
mod bad_input;
mod bench_profile;
mod cases;
mod commands;
mod demo;
mod exactness;
mod finality;
mod former_storage;
mod kills;
mod layers;
mod live;
mod owners;
mod proof;
mod public_items;
mod reader;
mod readers;
mod readme;
mod reference;
mod refusals;
mod rule_book;
mod sinks;
mod source_faults;
mod source_kafka;
mod sums;
mod tree;
