#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema};

use super::*;
use crate::round::MetricQueries;
use crate::time::WindowKind;

const ZONE: Zone = Zone(chrono_tz::Asia::Shanghai);

fn metric() -> Metric {
    let schema = Arc::new(Schema::new(vec![
        Field::new("window_kind", DataType::Utf8, false),
        Field::new("sku_id", DataType::Utf8, false),
        Field::new("sold_qty", DataType::Int64, false),
        Field::new("share_ratio", DataType::Float64, true),
        Field::new("n", DataType::Int64, false),
    ]));
    let queries = MetricQueries {
        name: "sold",
        stream: Some(
            "-- metric: M00 sold\n-- facts: sales\n-- windows: D1\n-- clock: orders\nSELECT 1",
        ),
        shard: None,
        public: None,
    };
    let table_of = |_: &str| Some((schema.clone(), vec!["sku_id".to_owned()]));
    Metric::load_all(&[queries], table_of).unwrap().remove(0)
}

fn window() -> Window {
    let first = Day::from_date("2026-01-05".parse().unwrap());
    Window {
        kind: WindowKind::D1,
        first,
        end: first.plus(1),
    }
}

fn rows(rows: &[(&str, i64, Option<f64>)]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.2))),
        Arc::new(Int64Array::from(vec![1; rows.len()])),
    ];
    RecordBatch::try_new(row_schema(&metric()), columns).unwrap()
}

type Row = (&'static str, i64, Option<f64>);

fn compared(expected: &[Row], actual: &[Row]) -> TableAudit {
    let mut audit = TableAudit::new("sold");
    let (expected, actual) = (rows(expected), rows(actual));
    audit
        .compare(&metric(), window(), &expected, &actual)
        .unwrap();
    audit
}

#[test]
fn equal_is_what_the_contract_says() {
    let expected = [
        ("A", 1, Some(0.5)),
        ("B", 2, None),
        ("C", 3, Some(f64::NAN)),
    ];
    let actual = [
        ("C", 3, Some(f64::NAN)),
        ("A", 1, Some(0.5 + 5e-10)),
        ("B", 2, None),
    ];
    let audit = compared(&expected, &actual);
    assert_eq!((audit.compared, audit.differing, audit.first), (3, 0, None));
}

#[test]
fn every_kind_of_difference_is_counted_and_the_first_is_told() {
    let cases: [(&[Row], &[Row], &str); 5] = [
        (
            &[("A", 1, None)],
            &[("A", 2, None)],
            "sold_qty: recomputed 1, published 2",
        ),
        (
            &[("A", 1, Some(0.5))],
            &[("A", 1, Some(0.500_000_01))],
            "share_ratio: recomputed 0.5, published 0.50000001",
        ),
        (
            &[("A", 1, Some(0.5))],
            &[("A", 1, None)],
            "share_ratio: recomputed 0.5, published NULL",
        ),
        (&[("A", 1, None)], &[], "is missing"),
        (&[], &[("A", 1, None)], "should not be there"),
    ];
    for (expected, actual, what) in cases {
        let audit = compared(expected, actual);
        assert_eq!((audit.compared, audit.differing), (1, 1), "{what}");
        assert_eq!(
            audit.first.unwrap(),
            format!("D1 2026-01-05 sku_id=A {what}")
        );
    }
}

#[test]
fn two_rows_of_one_key_are_an_error() {
    let twice = rows(&[("A", 1, None), ("A", 1, None)]);
    let mut audit = TableAudit::new("sold");
    let error = audit
        .compare(&metric(), window(), &twice, &rows(&[]))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(
        error.to_string().contains("two rows for one key"),
        "{error}"
    );
}

#[test]
fn published_rows_are_found_by_their_window() {
    let day = |text: &str| {
        let start = ZONE.start_of(Day::from_date(text.parse().unwrap()));
        start.as_micros()
    };
    let instants = |days: [&str; 2]| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(days.map(day).to_vec()).with_timezone("UTC"))
    };
    let batch = RecordBatch::try_from_iter([
        (
            "window_kind",
            Arc::new(StringArray::from(vec!["D1", "D1"])) as ArrayRef,
        ),
        ("window_start", instants(["2026-01-05", "2026-01-06"])),
        ("window_end", instants(["2026-01-06", "2026-01-07"])),
        ("n", Arc::new(Int64Array::from(vec![1, 1]))),
        ("sku_id", Arc::new(StringArray::from(vec!["A", "B"]))),
        ("sold_qty", Arc::new(Int64Array::from(vec![7, 8]))),
        (
            "share_ratio",
            Arc::new(Float64Array::from(vec![Some(0.5), Some(0.25)])),
        ),
    ])
    .unwrap();
    let published = PublishedRows::new(&[batch], ZONE).unwrap();
    assert_eq!(published.windows().count(), 2);
    let found = published.window(&metric(), window()).unwrap();
    assert_eq!(found, rows(&[("A", 7, Some(0.5))]));
    let other = Window {
        kind: WindowKind::W1,
        ..window()
    };
    assert_eq!(published.window(&metric(), other).unwrap().num_rows(), 0);
}
