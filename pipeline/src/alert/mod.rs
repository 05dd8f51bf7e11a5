//! Alerts: what a rule is, and what it decides.
//!
//! ```text
//!  facts, rows ─▶ AlertRule ─ AlertChange ─▶ seal ─▶ Transition
//!                     ▲ timers
//!                     └ clock or live time
//! ```
//!
//! * [`AlertRule`]: a pure state machine, pending → firing → resolved or withdrawn; it knows no I/O and no sequence.
//! * [`RuleStates`]: what rules keep in checkpoints, by rule id.
//! * [`Transition`]: an [`AlertChange`] that a record of a log has numbered ([`seal()`]); its id is the same on every retry and
//!   every replay. Once that record is durable, [`sink`](crate::sink) delivers it.

mod rule;
mod states;
mod transition;

pub use rule::{AlertRule, RuleInput, RuleTime};
pub use states::RuleStates;
pub use transition::{
    AlertChange, AlertReason, AlertScope, AlertState, MAX_PER_SEAL, Severity, Transition, seal,
};

#[cfg(test)]
pub(crate) use transition::tests as transition_fixture;
