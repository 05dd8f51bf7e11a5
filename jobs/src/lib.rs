//! What Vitrine computes: operators, metric texts, alert rules.

pub mod operator;
