#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use serde_json::{Value, json};

use super::*;
use crate::event::samples::{NINE, full, least};
use crate::event::{Limits, decode, event_types};

fn batch_of(topic: Topic, events: &[Value]) -> RecordBatch {
    let mut builder = EventBatchBuilder::new(topic);
    for (event, offset) in events.iter().zip(100..) {
        let text = event.to_string();
        let place = Place {
            partition: 2,
            offset,
            timestamp: (offset == 100).then_some(TimestampMs::from_ms(NINE)),
        };
        let event = decode(topic, Some(text.as_bytes()), &Limits::default()).unwrap();
        builder.append(&event, &place);
    }
    assert_eq!(builder.len(), events.len());
    let batch = builder.finish();
    assert!(builder.is_empty());
    batch
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn an_order_becomes_columns() {
    let mut order = full("order.placed");
    order["lines"] = json!([
        { "line_no": 1, "sku_id": "s1", "requested_qty": 30, "wholesale_price_fen": 8_480 },
        { "line_no": 2, "sku_id": "s2", "requested_qty": 0, "is_key_brand_recommended": false },
    ]);
    let batch = batch_of(
        Topic::Orders,
        &[least("order.closed"), order, least("order.payment_due")],
    );
    assert_eq!(batch.schema(), arrow_schema(Topic::Orders));
    assert_eq!(batch.num_rows(), 3);

    let partition = batch["partition"].as_primitive::<Int32Type>();
    assert_eq!(partition.values(), &[2, 2, 2]);
    assert_eq!(
        batch["offset"].as_primitive::<Int64Type>().values(),
        &[100, 101, 102]
    );
    let broker_at = batch["broker_at"].as_primitive::<TimestampMicrosecondType>();
    assert_eq!(
        broker_at.iter().collect::<Vec<_>>(),
        [Some(NINE * 1000), None, None]
    );
    let occurred_at = batch["occurred_at"].as_primitive::<TimestampMicrosecondType>();
    assert_eq!(occurred_at.values(), &[NINE * 1000; 3]);
    assert_eq!(
        texts(&batch, "event_type"),
        [
            some("order.closed"),
            some("order.placed"),
            some("order.payment_due")
        ]
    );
    assert_eq!(
        texts(&batch, "source"),
        [some("UNKNOWN"), some("ORDER_SYSTEM"), some("UNKNOWN")]
    );
    assert_eq!(texts(&batch, "order_kind"), [None, some("REGULAR"), None]);
    assert_eq!(
        texts(&batch, "scope"),
        [some("k-1"), some("x-1"), some("k-1")]
    );
    let cycle = batch["order_cycle_date"].as_primitive::<Date32Type>();
    assert_eq!(
        cycle.iter().collect::<Vec<_>>(),
        [None, Some(20_459), None],
        "2026-01-06"
    );
    let due = batch["due_date"].as_primitive::<Date32Type>();
    assert_eq!(due.iter().collect::<Vec<_>>(), [None, None, Some(20_459)]);

    let lines = batch["lines"].as_list::<i32>();
    assert_eq!(
        (lines.is_null(0), lines.is_null(1), lines.is_null(2)),
        (true, false, true)
    );
    let lines = lines.value(1);
    let lines = lines.as_struct();
    assert_eq!(
        lines["line_no"].as_primitive::<Int32Type>().values(),
        &[1, 2]
    );
    assert_eq!(
        lines["requested_qty"].as_primitive::<Int64Type>().values(),
        &[30, 0]
    );
    let price = lines["wholesale_price_fen"].as_primitive::<Int64Type>();
    assert_eq!(price.iter().collect::<Vec<_>>(), [Some(8_480), None]);
    let recommended = lines["is_key_brand_recommended"].as_boolean();
    assert_eq!(recommended.iter().collect::<Vec<_>>(), [None, Some(false)]);
}

#[test]
fn every_field_of_every_type_reaches_its_column() {
    for event_type in event_types() {
        let batch = batch_of(
            event_type.topic,
            &[least(event_type.name), full(event_type.name)],
        );
        let own = event_type.fields.iter().map(|one| one.field);
        for name in own.chain(["source", "actor_id", "trace_id", "corrects"]) {
            let field = crate::event::samples::find(event_type.topic, name);
            let column = batch.column_by_name(&field.column()).unwrap();
            assert!(column.is_valid(1), "{}.{name}", event_type.name);
        }
        let raw = batch.schema();
        let raw = raw
            .fields()
            .iter()
            .filter(|column| column.name().ends_with("_raw"));
        for column in raw {
            let unknown = batch[column.name().as_str()].null_count();
            assert_eq!(unknown, 2, "{} {}", event_type.name, column.name());
        }
    }
}

#[test]
fn a_builder_can_be_reused_and_takes_lists_of_texts() {
    let mut planned = least("visit.plan_submitted");
    planned["customer_ids"] = json!(["c1", "c\"2"]);
    let mut builder = EventBatchBuilder::new(Topic::Visits);
    for round in 0..2 {
        for event in [least("visit.started"), planned.clone()] {
            let text = event.to_string();
            let event = decode(Topic::Visits, Some(text.as_bytes()), &Limits::default()).unwrap();
            let place = Place {
                partition: 0,
                offset: round,
                timestamp: None,
            };
            builder.append(&event, &place);
        }
        let batch = builder.finish();
        assert_eq!(batch.num_rows(), 2);
        let customers = batch["customer_ids"].as_list::<i32>();
        assert!(customers.is_null(0));
        let customers = customers.value(1);
        let customers: Vec<_> = customers.as_string::<i32>().iter().flatten().collect();
        assert_eq!(customers, ["c1", "c\"2"]);
        assert_eq!(texts(&batch, "staff_id"), [None, some("k-1")]);
    }
    assert_eq!(builder.finish().num_rows(), 0);
}

mod personal;
