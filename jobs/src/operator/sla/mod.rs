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
//! * A withdrawn case is VOID also if it was answered at once. Both hold whenever the event comes.
//! * A phone case with `answered` = false is an abandoned call: no call end is awaited. Without the field the call was taken.
//! * A kept promise is one to reply if its own event says so or the promise of that id was made as one.
//! * A late stop known before the clock has passed the deadline leaves the step PENDING: an earlier stop may still arrive.

mod case;
mod columns;
mod policy;
mod steps;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::error::Result;
use pipeline::history::{HistoryEntry, Operator, OperatorContext};
use schemas::event::{Topic, TopicSet};

pub use policy::Policy;
pub(crate) use policy::StepDefinition;
pub(crate) use steps::{SlaStep, StepOutcome};

use self::case::{Case, CaseEvent, ContactEnd};
use self::columns::CaseColumns;
use crate::reference::RetailReference;

/// Name of the operator and its fact table.
pub(crate) const SLA_STEPS: &str = "sla_steps";

/// See the module's page.
pub(crate) struct Sla {
    policy: Arc<Policy>,
}

impl Sla {
    /// The operator for a table of steps.
    pub(crate) fn new(policy: Arc<Policy>) -> Self {
        Self { policy }
    }
}

/// (`customer_id`, `case_id`): two customers may use the same number.
type CaseKey = (Arc<str>, Arc<str>);

impl Operator for Sla {
    type Reference = RetailReference;
    type Key = CaseKey;
    type Event = CaseEvent;
    type Fact = SlaStep;

    fn name(&self) -> &'static str {
        SLA_STEPS
    }

    fn topics(&self) -> TopicSet {
        TopicSet::of(&[Topic::Complaints])
    }

    fn project(
        &self,
        _topic: Topic,
        batch: &RecordBatch,
        emit: &mut dyn FnMut(usize, CaseKey, CaseEvent),
    ) -> Result<()> {
        let columns = CaseColumns::of(batch)?;
        for row in 0..batch.num_rows() {
            let Some((case_id, event)) = columns.event(row) else {
                continue;
            };
            if let Some(customer_id) = columns.customer_id.shared(row) {
                emit(row, (customer_id, case_id), event);
            }
        }
        Ok(())
    }

    fn facts(
        &self,
        (customer_id, case_id): &CaseKey,
        history: &[HistoryEntry<CaseEvent>],
        context: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<SlaStep>,
    ) {
        let Some(case) = Case::read(history, context.clock) else {
            return;
        };
        for step in self.policy.steps_of(&case.kind) {
            let (fact, timer) = steps::decide(step, customer_id, case_id, &case, context.clock);
            out.extend(fact);
            if let Some(instant) = timer {
                context.register_timer(instant);
            }
        }
        if let ContactEnd::AwaitedUntil(until) = case.contact_end {
            context.register_timer(until);
        }
    }
}
