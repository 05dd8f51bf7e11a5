//! `facts.survey_invitations`: each invitation at the instant of its `survey.sent`, and whether it was answered (M18; K17).
//!
//! A `survey_id` is one invitation to one respondent. Reading: one that is sent again (a reminder) stays one invitation, at the first
//! sending. An answer counts in the window of the sending, whenever it comes; an answer to a survey that was never sent is no response.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::columns::{Columns, FactColumn, FactTable};
use pipeline::error::Result;
use pipeline::history::{Fact, HistoryEntry, Operator, OperatorContext};
use schemas::event::{Topic, TopicSet};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::reference::{RetailReference, UNKNOWN};

/// One invitation; dimensions of the customer as of its sending.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SurveyInvitation {
    pub instant: TimestampMs,
    pub event_id: Arc<str>,
    pub survey_id: Arc<str>,
    pub unit_id: Arc<str>,
    pub survey_tool: Arc<str>,
    pub class_id: Arc<str>,
    pub area_unit_id: Arc<str>,
    pub customer_kind: Arc<str>,
    pub is_answered: bool,
}

static TABLE: FactTable<SurveyInvitation> = FactTable::new(
    "Invitations to surveys and whether they were answered (满意度调查邀请)",
    &[
        FactColumn::instant(
            "instant",
            "When it was sent first, UTC (发出时间)",
            |f| f.instant,
        ),
        FactColumn::text("event_id", "Event that sent it (事件)", |f| &f.event_id),
        FactColumn::text("survey_id", "Invitation of one respondent (调查)", |f| {
            &f.survey_id
        }),
        FactColumn::text("unit_id", "Unit that sent it (部门)", |f| &f.unit_id),
        FactColumn::text("survey_tool", "Tool of the survey (调查方式)", |f| {
            &f.survey_tool
        }),
        FactColumn::text(
            "class_id",
            "Class of the customer at that instant (客户类别)",
            |f| &f.class_id,
        ),
        FactColumn::text(
            "area_unit_id",
            "Area of the customer at that instant (区域)",
            |f| &f.area_unit_id,
        ),
        FactColumn::text(
            "customer_kind",
            "Kind of customer at that instant (客户种类)",
            |f| &f.customer_kind,
        ),
        FactColumn::integer("sent_n", "1 (发出)", |_| 1),
        FactColumn::integer(
            "answered_of_sent_n",
            "1 where it was answered (答复)",
            |f| i64::from(f.is_answered),
        ),
    ],
);

impl Fact for SurveyInvitation {
    fn table() -> &'static FactTable<Self> {
        &TABLE
    }

    fn instant(&self) -> TimestampMs {
        self.instant
    }
}

/// What an event reports of its invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum InvitationEvent {
    Sent {
        unit_id: Option<Arc<str>>,
        survey_tool: Option<Arc<str>>,
    },
    Answered,
}

/// See the module's page.
pub(crate) struct SurveyInvitations;

impl Operator for SurveyInvitations {
    type Reference = RetailReference;
    /// (`customer_id`, `survey_id`): two customers may use the same number.
    type Key = (Arc<str>, Arc<str>);
    type Event = InvitationEvent;
    type Fact = SurveyInvitation;

    fn name(&self) -> &'static str {
        "survey_invitations"
    }

    fn topics(&self) -> TopicSet {
        TopicSet::of(&[Topic::Complaints])
    }

    fn project(
        &self,
        _topic: Topic,
        batch: &RecordBatch,
        emit: &mut dyn FnMut(usize, Self::Key, InvitationEvent),
    ) -> Result<()> {
        let columns = Columns::of(batch);
        let event_type = columns.text("event_type")?;
        let customer_id = columns.text("customer_id")?;
        let survey_id = columns.text("survey_id")?;
        let unit_id = columns.text("unit_id")?;
        let survey_tool = columns.text("survey_tool")?;
        for row in 0..batch.num_rows() {
            let event = match event_type.get(row) {
                Some("survey.sent") => InvitationEvent::Sent {
                    unit_id: unit_id.shared(row),
                    survey_tool: survey_tool.shared(row),
                },
                Some("survey.answered") => InvitationEvent::Answered,
                _ => continue,
            };
            if let Some(key) = customer_id.shared(row).zip(survey_id.shared(row)) {
                emit(row, key, event);
            }
        }
        Ok(())
    }

    fn facts(
        &self,
        (customer_id, survey_id): &Self::Key,
        history: &[HistoryEntry<InvitationEvent>],
        context: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<SurveyInvitation>,
    ) {
        let sent = history.iter().find_map(|entry| match &entry.event {
            InvitationEvent::Sent {
                unit_id,
                survey_tool,
            } => Some((&entry.stamp, unit_id, survey_tool)),
            InvitationEvent::Answered => None,
        });
        let Some((stamp, unit_id, survey_tool)) = sent else {
            return;
        };
        let customer = context.reference.customer(customer_id, stamp.occurred_at);
        out.push(SurveyInvitation {
            instant: stamp.occurred_at,
            event_id: stamp.event_id.clone(),
            survey_id: survey_id.clone(),
            unit_id: unit_id.clone().unwrap_or_else(|| UNKNOWN.into()),
            survey_tool: survey_tool.clone().unwrap_or_else(|| UNKNOWN.into()),
            class_id: customer.class_id.clone(),
            area_unit_id: customer.area_unit_id.clone(),
            customer_kind: customer.customer_kind.clone(),
            is_answered: history
                .iter()
                .any(|entry| entry.event == InvitationEvent::Answered),
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use schemas::event::Topic;
    use serde_json::json;

    use super::*;
    use crate::operator::fixture::{at, batch, entry, facts_of, projected};
    use crate::reference::fixture::one_customer;

    fn sent() -> InvitationEvent {
        InvitationEvent::Sent {
            unit_id: Some("U1".into()),
            survey_tool: None,
        }
    }

    /// (instant, class, answered) of the facts of one invitation.
    fn facts(history: &[HistoryEntry<InvitationEvent>]) -> Vec<(TimestampMs, String, bool)> {
        let key = ("C1".into(), "S1".into());
        facts_of(&SurveyInvitations, &key, history, &one_customer())
            .into_iter()
            .map(|f| (f.instant, f.class_id.to_string(), f.is_answered))
            .collect()
    }

    #[test]
    fn k17_sent_and_answered_belong_together_by_customer_and_survey() {
        let events = batch(
            Topic::Complaints,
            &[
                (
                    "survey.sent",
                    "2026-03-03T10:00:00+08:00",
                    json!({"survey_id": "S1", "unit_id": "U1"}),
                ),
                (
                    "survey.answered",
                    "2026-03-04T10:00:00+08:00",
                    json!({"survey_id": "S1", "answers": [{"question_id": "Q0", "score": 5}]}),
                ),
                (
                    "case.answered",
                    "2026-03-04T10:00:00+08:00",
                    json!({"case_id": "K1"}),
                ),
                (
                    "survey.sent",
                    "2026-03-03T10:00:00+08:00",
                    json!({"survey_id": "S1", "unit_id": "U1", "customer_id": "C2"}),
                ),
            ],
        );
        let key = |customer: &str| (customer.into(), "S1".into());
        // A survey of another customer with the same number is another invitation, which this answer does not belong to.
        assert_eq!(
            projected(&SurveyInvitations, Topic::Complaints, &events),
            [
                (0, key("C1"), sent()),
                (1, key("C1"), InvitationEvent::Answered),
                (3, key("C2"), sent())
            ]
        );
    }

    #[test]
    fn k17_the_unit_is_that_of_the_sending_else_unknown() {
        let key = ("C1".into(), "S1".into());
        for (unit_id, expected) in [(Some("U1"), "U1"), (None, UNKNOWN)] {
            let sent = InvitationEvent::Sent {
                unit_id: unit_id.map(Into::into),
                survey_tool: Some("PHONE".into()),
            };
            let history = [entry(at(999), sent)];
            let found = facts_of(&SurveyInvitations, &key, &history, &one_customer());
            assert_eq!(
                (&*found[0].unit_id, &*found[0].survey_tool),
                (expected, "PHONE")
            );
        }
    }

    #[test]
    fn k17_a_survey_id_is_one_invitation_at_its_first_sending() {
        // The customer's class changes from A to B at ms 1000.
        assert_eq!(
            facts(&[entry(at(999), sent())]),
            [(at(999), "A".into(), false)]
        );
        let reminded = [entry(at(999), sent()), entry(at(5_000), sent())];
        assert_eq!(facts(&reminded), [(at(999), "A".into(), false)]);
    }

    #[test]
    fn k17_an_answer_counts_whenever_it_comes_but_not_without_an_invitation() {
        let answered = |ms| entry(at(ms), InvitationEvent::Answered);
        assert_eq!(
            facts(&[entry(at(999), sent()), answered(9_000)]),
            [(at(999), "A".into(), true)]
        );
        assert_eq!(
            facts(&[answered(5), entry(at(999), sent())]),
            [(at(999), "A".into(), true)]
        );
        assert!(facts(&[answered(5)]).is_empty());
        assert!(facts(&[]).is_empty());
    }
}
