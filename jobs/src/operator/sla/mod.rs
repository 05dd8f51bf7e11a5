//! Steps of service cases and their time limits (M19; domain 3.5, K18): one operator, driven by a table of steps.
//!
//! ```text
//!  events of a case ─▶ Case: marks with instants ─┐
//!  sla.toml ─────────▶ Policy: steps ─────────────┴▶ SlaStep, one a step, at its deadline
//! ```
//!
//! [`Case`] knows events and no step; [`Step`] knows marks and no event; `steps` decides. A new step over known marks is a new
//! entry in `sla.toml`.
//!
//! The clock decides only when: a step is PENDING until the clock is past its deadline, the warning shows once it is due, and the
//! two hours for which a phone call may go on are waited. Timers (`Call::wake_at`) stand at each of these instants, so a deadline
//! passes with no event.
//!
//! Readings beyond K18:
//! * Of several `case.opened` of one case the first counts, likewise of several `case.call_ended`.
//! * A withdrawn case is VOID also if it was answered at once. Both hold whenever the event came.
//! * A phone case with `answered` = false is an abandoned call: no call end is waited for. Without the field the call was taken.
//! * A kept promise is one to reply if it says so itself or the promise of that id was made as one.
//! * A late stop known before the clock has passed the deadline leaves the step PENDING: an earlier stop may still arrive.

mod case;
mod policy;
mod steps;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use pipeline::history::{Call, Entry, Operator};

pub use case::{Case, CaseEvent, ContactEnd, Mark, Moment};
pub use policy::{LimitClock, Policy, PolicyError, Step};
pub use steps::{Outcome, SlaStep};

use super::read::Columns;
use crate::world::World;

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
    type World = World;
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
    ) -> Result<(), ArrowError> {
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
        history: &[Entry<CaseEvent>],
        call: &mut Call<'_, World>,
        out: &mut Vec<SlaStep>,
    ) {
        let Some(case) = Case::read(history, call.clock_ms) else {
            return;
        };
        for step in self.policy.steps_of(&case.kind) {
            let (fact, wake_at_ms) =
                steps::decide(step, customer_id, case_id, &case, call.clock_ms);
            out.extend(fact);
            if let Some(instant_ms) = wake_at_ms {
                call.wake_at(instant_ms);
            }
        }
        if let ContactEnd::AwaitedUntil(until_ms) = case.contact_end {
            call.wake_at(until_ms);
        }
    }
}

use super::read::{Flag, Instant, Text};

/// The columns of `complaints` that steps are decided from.
struct CaseColumns<'a> {
    event_type: Text<'a>,
    customer_id: Text<'a>,
    case_id: Text<'a>,
    case_kind: Text<'a>,
    category: Text<'a>,
    unit_id: Text<'a>,
    channel: Text<'a>,
    answered: Flag<'a>,
    received_at: Instant<'a>,
    call_ended_at: Instant<'a>,
    at_once: Flag<'a>,
    has_resolver: Flag<'a>,
    what: Text<'a>,
    promise_id: Text<'a>,
    promise_kind: Text<'a>,
    kept_at: Instant<'a>,
    base: Text<'a>,
    base_ref: Text<'a>,
    outcome: Text<'a>,
    resolution_kind: Text<'a>,
}

impl<'a> CaseColumns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let columns = Columns::of(batch);
        Ok(Self {
            event_type: columns.text("event_type")?,
            customer_id: columns.text("customer_id")?,
            case_id: columns.text("case_id")?,
            case_kind: columns.text("case_kind")?,
            category: columns.text("category")?,
            unit_id: columns.text("unit_id")?,
            channel: columns.text("channel")?,
            answered: columns.flag("answered")?,
            received_at: columns.instant("received_at")?,
            call_ended_at: columns.instant("call_ended_at")?,
            at_once: columns.flag("at_once")?,
            has_resolver: columns.flag("has_resolver")?,
            what: columns.text("what")?,
            promise_id: columns.text("promise_id")?,
            promise_kind: columns.text("promise_kind")?,
            kept_at: columns.instant("kept_at")?,
            base: columns.text("base")?,
            base_ref: columns.text("base_ref")?,
            outcome: columns.text("outcome")?,
            resolution_kind: columns.text("resolution_kind")?,
        })
    }

    /// Which case an event is about and what it says; `None` for events that no step looks at.
    fn event(&self, row: usize) -> Option<(Arc<str>, CaseEvent)> {
        let event = match self.event_type.get(row)? {
            "case.opened" => CaseEvent::Opened {
                kind: self.case_kind.shared(row)?,
                category: self.category.shared(row),
                unit_id: self.unit_id.shared(row),
                received_at_ms: self.received_at.get(row)?,
                is_answered_call: self.channel.is(row, "PHONE")
                    && self.answered.get(row) != Some(false),
            },
            "case.call_ended" => CaseEvent::CallEnded {
                at_ms: self.call_ended_at.get(row)?,
            },
            "case.answered" => CaseEvent::Answered {
                at_once: self.at_once.get(row) == Some(true),
            },
            "case.dept_notified" => CaseEvent::DeptNotified {
                has_resolver: self.has_resolver.get(row) == Some(true),
            },
            "case.customer_informed" => CaseEvent::CustomerInformed {
                of_notice_result: self.what.is(row, "NOTICE_RESULT"),
            },
            "case.progress_checked" => CaseEvent::ProgressChecked,
            "promise.made" => CaseEvent::PromiseMade {
                promise_id: self.promise_id.shared(row)?,
                is_reply: self.promise_kind.is(row, "REPLY"),
            },
            "promise.kept" => CaseEvent::PromiseKept {
                promise_id: self.promise_id.shared(row)?,
                is_reply: self.promise_kind.is(row, "REPLY"),
                at_ms: self.kept_at.get(row)?,
            },
            "callback.attempted"
                if self.base.is(row, "CASE") && self.outcome.is(row, "REACHED") =>
            {
                return Some((self.base_ref.shared(row)?, CaseEvent::CalledBack));
            }
            "case.closed" if self.resolution_kind.is(row, "WITHDRAWN") => CaseEvent::Withdrawn,
            _ => return None,
        };
        Some((self.case_id.shared(row)?, event))
    }
}
