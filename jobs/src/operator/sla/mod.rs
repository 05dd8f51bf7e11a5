//! Steps of service cases and their time limits (M19; domain 3.5, K18): one operator, driven by a table of steps.
//!
//! ```text
//!  events of a case ─▶ Case: marks with instants ─┐
//!  sla.toml ─────────▶ Policy: steps ─────────────┴▶ SlaStep, one a step, at its deadline
//! ```
//!
//! [`Case`] knows events and no step; [`StepDefinition`] knows marks and no event; `steps` decides. A new step over known marks is a new
//! entry in `sla.toml`.
//!
//! The clock decides only when: a step is PENDING until the clock is past its deadline, the warning shows once it is due, and the
//! two hours for which a phone call may go on are waited. Timers (`OperatorContext::register_timer`) stand at each of these instants, so a deadline
//! passes with no event.
//!
//! Readings beyond K18:
//! * Of several `case.opened` of one case the first counts, likewise of several `case.call_ended`.
//! * A withdrawn case is VOID also if it was answered at once. Both hold whenever the event came.
//! * A phone case with `answered` = false is an abandoned call: no call end is waited for. Without the field the call was taken.
//! * A kept promise is one to reply if it says so itself or the promise of that id was made as one.
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

pub use case::{Case, CaseEvent, ContactEnd, Mark, Moment};
pub use policy::{LimitClock, Policy, PolicyError, StepDefinition};
pub use steps::{SlaStep, StepOutcome};

use self::columns::CaseColumns;
use crate::reference::RetailReference;

/// Name of the operator and its fact table.
pub const SLA_STEPS: &str = "sla_steps";

/// See the module's page.
pub struct Sla {
    policy: Arc<Policy>,
}

impl Sla {
    /// The operator for a table of steps.
    pub fn new(policy: Arc<Policy>) -> Self {
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

    fn topics(&self) -> &'static [&'static str] {
        &["complaints"]
    }

    fn project(
        &self,
        _topic: &str,
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
        call: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<SlaStep>,
    ) {
        let Some(case) = Case::read(history, call.clock_ms) else {
            return;
        };
        for step in self.policy.steps_of(&case.kind) {
            let (fact, timer_ms) = steps::decide(step, customer_id, case_id, &case, call.clock_ms);
            out.extend(fact);
            if let Some(instant_ms) = timer_ms {
                call.register_timer(instant_ms);
            }
        }
        if let ContactEnd::AwaitedUntil(until_ms) = case.contact_end {
            call.register_timer(until_ms);
        }
    }
}
