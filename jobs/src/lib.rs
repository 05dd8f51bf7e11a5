//! What Vitrine computes: operators, metric texts, alert rules, and the program around them.

pub mod alerts;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod feeds;
pub mod metrics;
pub mod operator;
pub mod simulate;
pub mod world;
