//! Transitions and reports as rows of `ops.alerts` and `ops.deliveries`, without the epoch that publishes them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, ListBuilder, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::time::TimestampMs;

use super::schedule::DeliveryAttempt;
use crate::alert::{AlertChange, AlertReason, AlertScope, Transition};

/// Rows of `ops.alerts`, one a transition, in their order.
pub fn transition_rows(transitions: &[Transition]) -> Result<RecordBatch, ArrowError> {
    let texts = |get: fn(&Transition) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(transitions.iter().map(get)))
    };
    let lists = |get: fn(&AlertChange) -> &[Arc<str>]| -> ArrayRef {
        let element = Field::new("element", DataType::Utf8, true);
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element);
        for transition in transitions {
            lists.append_value(get(&transition.change).iter().map(Some));
        }
        Arc::new(lists.finish())
    };
    let numbers = |get: fn(&AlertChange) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter(
            transitions.iter().map(|t| get(&t.change)),
        ))
    };
    let about = |get: fn(AlertScope) -> Option<TimestampMs>| {
        instants(transitions.iter().map(move |t| get(t.change.about)))
    };
    let versions = transitions
        .iter()
        .map(|t| i32::try_from(t.change.rule_version).unwrap_or(i32::MAX));
    rows([
        ("id", texts(|t| &t.id)),
        ("subject", texts(|t| &t.change.dedupe_key)),
        (
            "sequence",
            Arc::new(Int64Array::from_iter_values(
                transitions.iter().map(|t| t.sequence),
            )),
        ),
        ("rule_id", texts(|t| &t.change.rule_id)),
        (
            "rule_version",
            Arc::new(Int32Array::from_iter_values(versions)),
        ),
        ("state", texts(|t| t.change.state.as_str())),
        (
            "reason",
            Arc::new(StringArray::from_iter(
                transitions
                    .iter()
                    .map(|t| t.change.reason.map(AlertReason::as_str)),
            )),
        ),
        ("severity", texts(|t| t.change.severity.as_str())),
        ("subjects", lists(|c| &c.subjects)),
        ("value", numbers(|c| c.value)),
        ("limit", numbers(|c| c.limit)),
        (
            "window_start",
            about(|a| match a {
                AlertScope::Window { start, .. } => Some(start),
                AlertScope::Deadline { .. } => None,
            }),
        ),
        (
            "window_end",
            about(|a| match a {
                AlertScope::Window { end, .. } => Some(end),
                AlertScope::Deadline { .. } => None,
            }),
        ),
        (
            "deadline",
            about(|a| match a {
                AlertScope::Window { .. } => None,
                AlertScope::Deadline { at } => Some(at),
            }),
        ),
        (
            "first_fired_at",
            instants(transitions.iter().map(|t| Some(t.change.first_fired_at))),
        ),
        (
            "transitioned_at",
            instants(transitions.iter().map(|t| Some(t.change.transitioned_at))),
        ),
        ("evidence", lists(|c| &c.evidence)),
        ("owner_role", texts(|t| &t.change.owner_role)),
        ("escalation_role", texts(|t| &t.change.escalation_role)),
        ("seal", texts(|t| &t.seal)),
    ])
}

/// Rows of `ops.deliveries`, one an attempt, in their order.
pub fn delivery_rows(reports: &[DeliveryAttempt]) -> Result<RecordBatch, ArrowError> {
    let texts = |get: fn(&DeliveryAttempt) -> Option<&str>| -> ArrayRef {
        Arc::new(StringArray::from_iter(reports.iter().map(get)))
    };
    let attempts = reports
        .iter()
        .map(|r| i32::try_from(r.attempt).unwrap_or(i32::MAX));
    rows([
        ("id", texts(|r| Some(&r.id))),
        ("destination", texts(|r| Some(&r.destination))),
        ("attempt", Arc::new(Int32Array::from_iter_values(attempts))),
        (
            "attempted_at",
            instants(reports.iter().map(|r| Some(r.attempted_at))),
        ),
        ("outcome", texts(|r| Some(r.outcome.as_str()))),
        (
            "status",
            Arc::new(Int32Array::from_iter(
                reports.iter().map(|r| r.status.map(i32::from)),
            )),
        ),
        ("error", texts(|r| r.error.as_deref())),
    ])
}

fn instants(values: impl Iterator<Item = Option<TimestampMs>>) -> ArrayRef {
    Arc::new(
        values
            .map(|value| value.map(TimestampMs::as_micros))
            .collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
    )
}

fn rows<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch, ArrowError> {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns
        .into_iter()
        .map(|(name, array)| {
            let field = Field::new(name, array.data_type().clone(), true);
            (field, array)
        })
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Int32Type, TimestampMicrosecondType};

    use super::super::schedule::DeliveryOutcome;
    use super::*;
    use crate::alert::transition_fixture::transition;

    /// Columns of a published table without those that the publisher adds.
    fn published(name: &str) -> Vec<(String, DataType)> {
        let table = schemas::table::find("ops", name).unwrap();
        let added = ["epoch", table.partition_by.unwrap_or("")];
        let own = table.schema.fields().iter();
        own.filter(|field| !added.contains(&field.name().as_str()))
            .map(|field| (field.name().clone(), field.data_type().clone()))
            .collect()
    }

    fn columns(rows: &RecordBatch) -> Vec<(String, DataType)> {
        let schema = rows.schema();
        let fields = schema.fields().iter();
        fields
            .map(|field| (field.name().clone(), field.data_type().clone()))
            .collect()
    }

    #[test]
    fn rows_fit_the_published_tables() {
        let alerts = transition_rows(&[transition(7)]).unwrap();
        assert_eq!(columns(&alerts), published("alerts"));
        assert_eq!(
            columns(&delivery_rows(&[]).unwrap()),
            published("deliveries")
        );
    }

    #[test]
    fn values_stand_in_their_columns() {
        let alerts = transition_rows(&[transition(7)]).unwrap();
        let instant = |name| alerts[name].as_primitive::<TimestampMicrosecondType>();
        assert_eq!(instant("deadline").value(0), 600_000_000);
        assert_eq!(alerts["window_end"].null_count(), 1);
        assert_eq!(alerts["subjects"].as_list::<i32>().value(0).len(), 2);
        assert_eq!(alerts["state"].as_string::<i32>().value(0), "firing");

        let report = DeliveryAttempt {
            id: "A15-0-7-0".into(),
            sequence: 7 * 65_536,
            dedupe_key: "A15|C1|case-1".into(),
            destination: "desk".into(),
            attempt: 2,
            attempted_at: TimestampMs::from_ms(5),
            outcome: DeliveryOutcome::Retry,
            status: Some(503),
            error: None,
        };
        let deliveries = delivery_rows(&[report]).unwrap();
        assert_eq!(deliveries["outcome"].as_string::<i32>().value(0), "RETRY");
        assert_eq!(
            deliveries["status"].as_primitive::<Int32Type>().value(0),
            503
        );
        assert_eq!(deliveries["error"].null_count(), 1);
    }
}
