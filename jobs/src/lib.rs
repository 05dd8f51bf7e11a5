//! What Vitrine computes: operators, metric texts, alert rules.

pub mod alerts;
pub mod metrics;
pub mod operator;
pub mod world;
