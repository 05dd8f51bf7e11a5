//! Tests of whole runs, by their records and not by the state of the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod anomalies;
mod balance;
mod files;
mod log;
mod run;
mod verdicts;
