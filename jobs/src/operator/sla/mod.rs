//! Steps of service cases and their time limits (M19; domain 3.5, K18): one operator, driven by a table of steps.
//!
//! ```text
//!  events of a case ─▶ Case: marks with instants ─┐
//!  sla/steps.toml ───▶ Policy: steps ─────────────┴▶ SlaStep, one per step, at its deadline
//! ```
//!
//! `Case` depends on events and on no step; `StepDefinition` depends on marks and on no event; `steps` decides. A new step over known
//! marks is a new entry in `sla/steps.toml`.
//!
//! The clock decides only when: a step is PENDING until the clock has passed its deadline, the warning appears once it is due, and the
//! end of a phone call is awaited for two hours. A timer (`OperatorContext::register_timer`) is registered for each of these instants,
//! so a deadline passes without an event.
//!
//! Readings beyond K18:
//! * Of several `case.opened` of one case the first counts, likewise of several `case.call_ended`.
//! * A withdrawn case is VOID also if it was answered at once, whenever it is withdrawn. An answer at once after a step's deadline
//!   leaves that step as it is (K34); of several such answers the first counts.
//! * A phone case with `answered` = false is an abandoned call: no call end is awaited. Without the field the call was taken (K34).
//! * A kept promise is one to reply if its own event says so or the promise of that id was made as one.
//! * A late stop known before the clock has passed the deadline leaves the step PENDING: an earlier stop may still arrive.

mod case;
mod columns;
mod operator;
mod policy;
mod steps;

pub(crate) use operator::{SLA_STEPS, Sla};
pub use policy::Policy;
pub(crate) use policy::StepDefinition;
#[cfg(test)]
pub(crate) use steps::SlaStep;
pub(crate) use steps::StepOutcome;
