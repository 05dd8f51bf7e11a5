//! The operator: projects the events of a case and decides its steps.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::error::Result;
use pipeline::history::{HistoryEntry, Operator, OperatorContext};
use schemas::event::{Topic, TopicSet};

use super::case::{Case, CaseEvent, ContactEnd};
use super::columns::CaseColumns;
use super::policy::Policy;
use super::steps::{self, SlaStep};
use crate::reference::RetailReference;

/// Name of the operator and its fact table.
pub(crate) const SLA_STEPS: &str = "sla_steps";

/// See [the page of the folder](super).
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

#[cfg(test)]
mod tests;
