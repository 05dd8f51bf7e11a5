use std::sync::Arc;

use arrow::array::{
    Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};

use super::super::fixture::{JAN_5, rows};
use super::*;

fn of(values: ArrayRef) -> serde_json::Value {
    let batch = RecordBatch::try_from_iter([("x", values)]).unwrap();
    serde_json::from_str(&stats_json(&batch, &[])).unwrap()
}

fn bounds_of(values: ArrayRef) -> (serde_json::Value, serde_json::Value) {
    let stats = of(values);
    (
        stats["minValues"]["x"].clone(),
        stats["maxValues"]["x"].clone(),
    )
}

#[test]
fn decimals_are_exact() {
    let values = Decimal128Array::from(vec![
        -99_999_999_999_999_999_999_999_999_999_999_999_999,
        1_234_567_890_123_456_789_000_001,
    ])
    .with_precision_and_scale(38, 6)
    .unwrap();
    let (least, greatest) = bounds(&(Arc::new(values) as ArrayRef)).unwrap();
    assert_eq!(least, "-99999999999999999999999999999999.999999");
    assert_eq!(greatest, "1234567890123456789.000001");
}

#[test]
fn instants_widen_to_milliseconds() {
    let at = |micros: Vec<i64>| {
        Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC")) as ArrayRef
    };
    let (least, greatest) = bounds_of(at(vec![1_767_571_200_000_999, 1_767_571_200_001_001]));
    assert_eq!(
        (least, greatest),
        (
            "2026-01-05T00:00:00.000Z".into(),
            "2026-01-05T00:00:00.002Z".into()
        )
    );
    let (least, greatest) = bounds_of(at(vec![-1]));
    assert_eq!(
        (least, greatest),
        (
            "1969-12-31T23:59:59.999Z".into(),
            "1970-01-01T00:00:00.000Z".into()
        )
    );
    let (least, greatest) = bounds_of(at(vec![2_000]));
    assert_eq!(
        (&least, &greatest),
        (&"1970-01-01T00:00:00.002Z".into(), &least),
        "whole milliseconds stay"
    );
}

#[test]
fn long_texts_are_cut_between_their_characters() {
    let long = "烟".repeat(40);
    let (least, greatest) = bounds_of(Arc::new(StringArray::from(vec![long.as_str()])));
    assert_eq!(least, "烟".repeat(32));
    assert_eq!(greatest, format!("{}{}", "烟".repeat(32), char::MAX));
    assert!(greatest.as_str() > Some(long.as_str()) && least.as_str() < Some(long.as_str()));
    let (least, greatest) = bounds_of(Arc::new(StringArray::from(vec!["b\"q", "a"])));
    assert_eq!((least, greatest), ("a".into(), "b\"q".into()));
}

#[test]
fn nothing_is_said_where_nothing_is_certain() {
    for values in [
        Arc::new(Float64Array::from(vec![1.0, f64::NAN])) as ArrayRef,
        Arc::new(Int64Array::from(vec![None, None])),
    ] {
        assert!(bounds_of(values).0.is_null());
    }
    let stats = of(Arc::new(Int64Array::from(vec![None, Some(-3), None])));
    assert_eq!(stats["nullCount"]["x"], 2);
    assert_eq!(
        (&stats["numRecords"], &stats["minValues"]["x"]),
        (&3.into(), &(-3).into())
    );
    assert_eq!(
        bounds_of(Arc::new(Float64Array::from(vec![-0.5, 2.0]))),
        ((-0.5).into(), 2.0.into())
    );
}

#[test]
fn every_type_of_a_table_has_what_delta_allows() {
    let stats: serde_json::Value = serde_json::from_str(&stats_json(
        &rows(&[(JAN_5, "a"), (JAN_5 - 40_000, "b")]),
        &[],
    ))
    .unwrap();
    let bounded: Vec<_> = stats["maxValues"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        bounded,
        [
            "at",
            "customer_id",
            "n",
            "orders",
            "ratio",
            "sell_through_qty",
            "window_date"
        ]
    );
    assert_eq!(stats["minValues"]["window_date"], "1916-07-01");
    assert!(
        stats["nullCount"].get("lines").is_none(),
        "nested columns have no count"
    );
}

#[test]
fn columns_beyond_the_limit_count_only_if_sorted_by() {
    let column = |index: usize| {
        (
            format!("c{index:02}"),
            Arc::new(Int64Array::from(vec![1])) as ArrayRef,
        )
    };
    let batch = RecordBatch::try_from_iter((0..40).map(column)).unwrap();
    let stats: serde_json::Value =
        serde_json::from_str(&stats_json(&batch, &["c39".to_owned()])).unwrap();
    assert_eq!(
        stats["minValues"].as_object().unwrap().len(),
        INDEXED_COLUMNS + 1
    );
    assert_eq!(stats["minValues"]["c39"], 1);
}
