pub mod cli;
//! What Vitrine computes: operators, metric texts, alert rules.

pub mod metrics;
pub mod operator;
pub mod world;
pub mod simulate;
