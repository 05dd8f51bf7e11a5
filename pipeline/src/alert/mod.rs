//! Alerts: rules over facts and metric rows.

mod rules;
mod transition;

pub use rules::{AlertRule, Input, Now};
pub use transition::{About, Change, MAX_PER_SEAL, Severity, State, Transition, seal};
