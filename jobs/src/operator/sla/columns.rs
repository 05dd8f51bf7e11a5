//! From the columns of `complaints` to case events.

use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use pipeline::columns::{Columns, FlagColumn, InstantColumn, TextColumn};

use super::case::CaseEvent;

/// The columns of `complaints` that steps depend on.
pub(super) struct CaseColumns<'a> {
    event_type: TextColumn<'a>,
    pub(super) customer_id: TextColumn<'a>,
    case_id: TextColumn<'a>,
    case_kind: TextColumn<'a>,
    category: TextColumn<'a>,
    unit_id: TextColumn<'a>,
    channel: TextColumn<'a>,
    answered: FlagColumn<'a>,
    received_at: InstantColumn<'a>,
    call_ended_at: InstantColumn<'a>,
    at_once: FlagColumn<'a>,
    resolver_id: TextColumn<'a>,
    what: TextColumn<'a>,
    promise_id: TextColumn<'a>,
    promise_kind: TextColumn<'a>,
    kept_at: InstantColumn<'a>,
    base: TextColumn<'a>,
    base_ref: TextColumn<'a>,
    outcome: TextColumn<'a>,
    resolution_kind: TextColumn<'a>,
}

impl<'a> CaseColumns<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
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
            resolver_id: columns.text("resolver_id")?,
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

    /// The case of an event and what it reports; `None` for events that no step depends on.
    pub(super) fn event(&self, row: usize) -> Option<(Arc<str>, CaseEvent)> {
        let event = match self.event_type.get(row)? {
            "case.opened" => CaseEvent::Opened {
                kind: self.case_kind.shared(row)?,
                category: self.category.shared(row),
                unit_id: self.unit_id.shared(row),
                received_at: self.received_at.get(row)?,
                is_answered_call: self.channel.is(row, "PHONE")
                    && self.answered.get(row) != Some(false),
            },
            "case.call_ended" => CaseEvent::CallEnded {
                at: self.call_ended_at.get(row)?,
            },
            "case.answered" => CaseEvent::Answered {
                at_once: self.at_once.get(row) == Some(true),
            },
            "case.dept_notified" => CaseEvent::DeptNotified {
                has_resolver: self.resolver_id.get(row).is_some(),
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
                at: self.kept_at.get(row)?,
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use schemas::event::Topic;
    use schemas::time::{DurationMs, TimestampMs};
    use serde_json::json;

    use super::super::{Policy, Sla};
    use super::*;
    use crate::operator::fixture::{batch, instant, projected};

    /// Minutes after 10:00.
    fn at(minutes: i64) -> TimestampMs {
        instant("2026-03-03T10:00:00+08:00") + DurationMs::from_minutes(minutes)
    }

    #[test]
    fn events_are_projected_to_marks_of_their_case() {
        let operator = Sla::new(Arc::new(Policy::built_in().unwrap()));
        let when = "2026-03-03T10:00:00+08:00";
        let events = [
            ("case.opened", json!({"case_id": "K1", "case_kind": "COMPLAINT", "channel": "PHONE", "received_at": at(-5)})),
            ("case.opened", json!({"case_id": "K2", "case_kind": "RESCUE", "channel": "PHONE", "received_at": at(-5), "answered": false})),
            ("case.call_ended", json!({"case_id": "K1", "call_ended_at": at(-1)})),
            ("case.dept_notified", json!({"case_id": "K1", "resolver_id": "S9"})),
            ("case.customer_informed", json!({"case_id": "K1", "what": "PROGRESS"})),
            ("promise.kept", json!({"case_id": "K1", "promise_id": "P1", "promise_kind": "REPLY", "kept_at": at(-2)})),
            ("callback.attempted", json!({"callback_id": "B1", "base": "CASE", "base_ref": "K1", "ordinal": 1, "outcome": "REACHED"})),
            ("callback.attempted", json!({"callback_id": "B2", "base": "CASE", "base_ref": "K1", "ordinal": 2, "outcome": "REFUSED"})),
            ("callback.attempted", json!({"callback_id": "B3", "base": "PURCHASE", "base_ref": "K1", "ordinal": 1, "outcome": "REACHED"})),
            ("case.closed", json!({"case_id": "K1", "resolution_kind": "SOLVED"})),
            ("case.closed", json!({"case_id": "K2", "resolution_kind": "WITHDRAWN"})),
            ("case.escalated", json!({"case_id": "K1"})),
        ]
        .map(|(event_type, fields)| (event_type, when, fields));
        let found = projected(
            &operator,
            Topic::Complaints,
            &batch(Topic::Complaints, &events),
        );
        let rows: Vec<(usize, &str)> = found.iter().map(|(row, key, _)| (*row, &*key.1)).collect();
        assert_eq!(
            rows,
            [
                (0, "K1"),
                (1, "K2"),
                (2, "K1"),
                (3, "K1"),
                (4, "K1"),
                (5, "K1"),
                (6, "K1"),
                (10, "K2")
            ]
        );
        let events: Vec<CaseEvent> = found.into_iter().map(|(_, _, event)| event).collect();
        let opened = |kind: &str, is_answered_call| CaseEvent::Opened {
            kind: kind.into(),
            category: None,
            unit_id: None,
            received_at: at(-5),
            is_answered_call,
        };
        let expected = [
            opened("COMPLAINT", true),
            opened("RESCUE", false),
            CaseEvent::CallEnded { at: at(-1) },
            CaseEvent::DeptNotified { has_resolver: true },
            CaseEvent::CustomerInformed {
                of_notice_result: false,
            },
            CaseEvent::PromiseKept {
                promise_id: "P1".into(),
                is_reply: true,
                at: at(-2),
            },
            CaseEvent::CalledBack,
            CaseEvent::Withdrawn,
        ];
        assert_eq!(events, expected);
    }
}
