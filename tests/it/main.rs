//! End-to-end tests: one binary, so that they share one broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arrival;
mod bad_input;
mod bench_profile;
mod cases;
mod commands;
mod damage;
mod demo;
mod disorder;
mod event_files;
mod exactness;
mod far_dates;
mod finality;
mod former_storage;
mod hostile;
mod inputs;
mod kills;
mod layers;
mod live;
mod memory;
mod one_epoch;
mod owners;
mod proof;
mod public_items;
mod reader;
mod readers;
mod readings;
mod readme;
mod reference;
mod refusals;
mod rule_book;
mod sinks;
mod source_faults;
mod source_identity;
mod source_kafka;
mod tree;
