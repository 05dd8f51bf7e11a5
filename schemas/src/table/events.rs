//! `events.*`: the accepted events, typed.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};

use super::TableDescription;
use super::column::{COMMENT, bigint, date, filled};
use crate::event::{Topic, arrow_schema};

/// The accepted events of each topic: the columns of their batches, the epoch that published them and their local date.
///
/// A row is identified by partition and offset, not by its `event_id`: an id that was forgotten may come again (K6).
pub(super) fn events_tables() -> Vec<TableDescription> {
    Topic::ALL.into_iter().map(events).collect()
}

fn events(topic: Topic) -> TableDescription {
    let added = [
        filled(bigint("epoch", "Epoch that published it (发布批次)")),
        filled(date(
            "event_date",
            "Local date of occurred_at; partition (事件日期)",
        )),
    ];
    let batch = arrow_schema(topic);
    let columns = batch.fields().iter().map(|field| field.as_ref().clone());
    let fields: Vec<Field> = columns.chain(added).collect();
    let comment = match topic {
        Topic::Orders => "Accepted order events (订单事件)",
        Topic::Visits => "Accepted visit events (拜访事件)",
        Topic::Complaints => "Accepted events of service cases (服务事件)",
        Topic::Prices => "Accepted price events (价格事件)",
    };
    TableDescription {
        schema_name: "events",
        name: topic.name(),
        schema: Arc::new(Schema::new_with_metadata(
            fields,
            [(COMMENT.to_owned(), comment.to_owned())].into(),
        )),
        partition_by: Some("event_date"),
        // The order in which operators read histories.
        sort_by: vec!["scope", "occurred_at", "recorded_at", "event_id"],
        key: vec!["partition", "offset"],
        is_view: false,
    }
}
