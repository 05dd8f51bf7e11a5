//! `facts.survey_answers`: each answer with a score, at the instant of its `survey.answered` (M18; K17).
//!
//! A survey that is answered twice counts twice: every `survey.answered` counts. An answer in free text has no score and gives no
//! fact.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::columns::{Columns, FactColumn, FactTable};
use pipeline::error::Result;
use pipeline::history::{Fact, HistoryEntry, Operator, OperatorContext};
use schemas::event::{Topic, TopicSet};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::reference::{RetailReference, UNKNOWN};

/// The lowest score that counts as satisfied (D9).
const SATISFIED_FROM: i64 = 4;

/// One scored answer; dimensions of the customer as of its instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SurveyAnswer {
    pub instant: TimestampMs,
    pub event_id: Arc<str>,
    pub survey_id: Arc<str>,
    pub question_id: Arc<str>,
    pub unit_id: Arc<str>,
    pub survey_tool: Arc<str>,
    pub class_id: Arc<str>,
    pub area_unit_id: Arc<str>,
    pub customer_kind: Arc<str>,
    /// 1 to 5.
    pub score: i64,
}

static TABLE: FactTable<SurveyAnswer> = FactTable::new(
    "Scored answers of surveys (满意度评分)",
    &[
        FactColumn::instant("instant", "When it was answered, UTC (答复时间)", |f| {
            f.instant
        }),
        FactColumn::text("event_id", "Event that reported it (事件)", |f| {
            &f.event_id
        }),
        FactColumn::text("survey_id", "Invitation of one respondent (调查)", |f| {
            &f.survey_id
        }),
        FactColumn::text("question_id", "Question, Q0 = overall (问题)", |f| {
            &f.question_id
        }),
        FactColumn::text("unit_id", "Unit of the event (部门)", |f| &f.unit_id),
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
        FactColumn::integer("score", "1 to 5 (评分)", |f| f.score),
        FactColumn::integer("satisfied_n", "1 where the score is 4 or 5 (满意)", |f| {
            i64::from(f.score >= SATISFIED_FROM)
        }),
    ],
);

impl Fact for SurveyAnswer {
    fn table() -> &'static FactTable<Self> {
        &TABLE
    }

    fn instant(&self) -> TimestampMs {
        self.instant
    }
}

/// A `survey.answered` with its scored answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answered {
    unit_id: Option<Arc<str>>,
    survey_tool: Option<Arc<str>>,
    /// (question_id, score).
    answers: Vec<(Arc<str>, i64)>,
}

/// See the module's page.
pub(crate) struct SurveyAnswers;

impl Operator for SurveyAnswers {
    type Reference = RetailReference;
    /// (`customer_id`, `survey_id`): two customers may use the same number.
    type Key = (Arc<str>, Arc<str>);
    type Event = Answered;
    type Fact = SurveyAnswer;

    fn name(&self) -> &'static str {
        "survey_answers"
    }

    fn topics(&self) -> TopicSet {
        TopicSet::of(&[Topic::Complaints])
    }

    fn project(
        &self,
        _topic: Topic,
        batch: &RecordBatch,
        emit: &mut dyn FnMut(usize, Self::Key, Answered),
    ) -> Result<()> {
        let columns = Columns::of(batch);
        let event_type = columns.text("event_type")?;
        let customer_id = columns.text("customer_id")?;
        let survey_id = columns.text("survey_id")?;
        let unit_id = columns.text("unit_id")?;
        let survey_tool = columns.text("survey_tool")?;
        let lists = columns.list("answers")?;
        let question_id = lists.items().text("question_id")?;
        let score = lists.items().integer("score")?;
        for row in 0..batch.num_rows() {
            if !event_type.is(row, "survey.answered") {
                continue;
            }
            let Some(key) = customer_id.shared(row).zip(survey_id.shared(row)) else {
                continue;
            };
            let answers = lists
                .range(row)
                .filter_map(|item| question_id.shared(item).zip(score.get(item)))
                .collect();
            let event = Answered {
                unit_id: unit_id.shared(row),
                survey_tool: survey_tool.shared(row),
                answers,
            };
            emit(row, key, event);
        }
        Ok(())
    }

    fn facts(
        &self,
        (customer_id, survey_id): &Self::Key,
        history: &[HistoryEntry<Answered>],
        context: &mut OperatorContext<'_, RetailReference>,
        out: &mut Vec<SurveyAnswer>,
    ) {
        let unknown = || Arc::from(UNKNOWN);
        for entry in history {
            let instant = entry.stamp.occurred_at;
            let customer = context.reference.customer(customer_id, instant);
            let event = &entry.event;
            out.extend(
                event
                    .answers
                    .iter()
                    .map(|(question_id, score)| SurveyAnswer {
                        instant,
                        event_id: entry.stamp.event_id.clone(),
                        survey_id: survey_id.clone(),
                        question_id: question_id.clone(),
                        unit_id: event.unit_id.clone().unwrap_or_else(unknown),
                        survey_tool: event.survey_tool.clone().unwrap_or_else(unknown),
                        class_id: customer.class_id.clone(),
                        area_unit_id: customer.area_unit_id.clone(),
                        customer_kind: customer.customer_kind.clone(),
                        score: *score,
                    }),
            );
        }
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

    #[test]
    fn k17_answers_without_a_score_do_not_count() {
        let events = batch(
            Topic::Complaints,
            &[
                (
                    "survey.answered",
                    "2026-03-03T10:00:00+08:00",
                    json!({"survey_id": "S1", "survey_tool": "PHONE", "unit_id": "U1", "answers": [
                        {"question_id": "Q0", "score": 5},
                        {"question_id": "Q8", "score": null, "text": "more stock"},
                        {"question_id": "Q1", "score": 2}]}),
                ),
                (
                    "survey.sent",
                    "2026-03-03T10:00:00+08:00",
                    json!({"survey_id": "S2"}),
                ),
            ],
        );
        let found = projected(&SurveyAnswers, Topic::Complaints, &events);
        let expected = Answered {
            unit_id: Some("U1".into()),
            survey_tool: Some("PHONE".into()),
            answers: vec![("Q0".into(), 5), ("Q1".into(), 2)],
        };
        assert_eq!(found, [(0, ("C1".into(), "S1".into()), expected)]);
    }

    #[test]
    fn k17_each_answer_counts_at_its_instant_and_a_missing_unit_is_unknown() {
        let answered = |score| Answered {
            unit_id: None,
            survey_tool: None,
            answers: vec![("Q0".into(), score)],
        };
        // The customer's class changes from A to B at ms 1000.
        let history = [entry(at(999), answered(3)), entry(at(1_000), answered(4))];
        let key = ("C1".into(), "S1".into());
        let facts = facts_of(&SurveyAnswers, &key, &history, &one_customer());
        let found: Vec<_> = facts
            .iter()
            .map(|f| {
                (
                    f.instant,
                    &*f.class_id,
                    &*f.unit_id,
                    &*f.survey_tool,
                    f.score,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (at(999), "A", UNKNOWN, UNKNOWN, 3),
                (at(1_000), "B", UNKNOWN, UNKNOWN, 4)
            ]
        );
        let rows = SurveyAnswer::table().batch(&facts).unwrap();
        let satisfied = Columns::of(&rows).integer("satisfied_n").unwrap();
        assert_eq!((satisfied.get(0), satisfied.get(1)), (Some(0), Some(1)));
    }
}
