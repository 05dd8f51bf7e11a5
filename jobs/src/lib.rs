//! What Vitrine computes: operators, metric texts, alert rules.

pub mod cli;
pub mod metrics;
pub mod operator;
pub mod simulate;
pub mod world;
